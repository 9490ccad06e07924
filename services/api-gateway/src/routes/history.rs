use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use domain::{FailureCause, MessageId, MessageState, TenantId};
use sealed_records::TenantRecords;
use serde::{Deserialize, Serialize};
use storage::messages::{Doubt, HistoryFilter, HistoryRow, count_history, list_history};
use web::{Problem, ValidPath, ValidQuery};

use super::message_status::Failure;
use crate::{
    auth::LabKey,
    error::{ApiError, invalid_parameter},
    gateway::Gateway,
};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

#[derive(Deserialize)]
pub(super) struct Parameters {
    page: Option<u32>,
    limit: Option<u32>,
    status: Option<String>,
    date_from: Option<String>,
    date_to: Option<String>,
}

#[derive(Serialize)]
pub(super) struct History {
    messages: Vec<Entry>,
    pagination: Pagination,
    total_count: i64,
}

#[derive(Serialize)]
struct Pagination {
    page: u32,
    limit: u32,
    total_pages: i64,
    has_more: bool,
}

#[derive(Serialize)]
struct Entry {
    message_id: MessageId,
    status: MessageState,
    patient_phone: String,
    patient_name: Option<String>,
    test_name: Option<String>,
    has_attachment: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    /// Of a message that is unconfirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    unconfirmed: Option<Unconfirmed>,
    created_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    read_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct Unconfirmed {
    since: DateTime<Utc>,
    /// Whether it waits for a decision.
    parked: bool,
}

impl From<Doubt> for Unconfirmed {
    fn from(doubt: Doubt) -> Self {
        Self {
            since: doubt.since,
            parked: doubt.is_parked,
        }
    }
}

pub(super) async fn history(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath(lab): ValidPath<TenantId>,
    ValidQuery(parameters): ValidQuery<Parameters>,
) -> Result<Json<History>, ApiError> {
    key.must_be(lab)?;
    let page = in_range("page", parameters.page, 1, u32::MAX)?;
    let limit = in_range("limit", parameters.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let filter = HistoryFilter {
        tenant_id: lab,
        state: parameters.status.as_deref().map(state).transpose()?,
        from: instant("date_from", parameters.date_from.as_deref(), 0)?,
        until: instant("date_to", parameters.date_to.as_deref(), 1)?,
        limit: i64::from(limit),
        offset: i64::from(page - 1) * i64::from(limit),
    };
    let mut tx = gateway.database.begin_for(&[lab]).await?;
    let total_count = count_history(&mut tx, &filter).await?;
    let rows = list_history(&mut tx, &filter).await?;
    drop(tx);
    let records = gateway.keys.tenant(lab).await?;
    let messages = rows.into_iter().map(|row| entry(row, &records));
    let total_pages = total_count.unsigned_abs().div_ceil(u64::from(limit));
    Ok(Json(History {
        messages: messages.collect::<Result<_, _>>()?,
        pagination: Pagination {
            page,
            limit,
            total_pages: i64::try_from(total_pages).unwrap_or(i64::MAX),
            has_more: u64::from(page) < total_pages,
        },
        total_count,
    }))
}

fn entry(row: HistoryRow, records: &TenantRecords) -> Result<Entry, ApiError> {
    let content = records.open_report(&row.content)?;
    let failure = row.failure.filter(|_| row.state == MessageState::Failed);
    let failure = failure
        .map(serde_json::from_value::<FailureCause>)
        .transpose();
    Ok(Entry {
        message_id: row.id,
        status: row.state,
        patient_phone: records.open_recipient(&row.recipient)?.as_e164().to_owned(),
        patient_name: content.patient_name,
        test_name: content.test_name,
        has_attachment: row.has_attachment,
        error: failure
            .map_err(|_| storage::Error::Unreadable {
                column: "message_state.failure",
            })?
            .map(Failure::from),
        unconfirmed: row.doubt.map(Unconfirmed::from),
        created_at: row.created_at,
        sent_at: row.sent_at,
        delivered_at: row.delivered_at,
        read_at: row.read_at,
    })
}

fn in_range(name: &str, value: Option<u32>, default: u32, most: u32) -> Result<u32, Problem> {
    let value = value.unwrap_or(default);
    if value == 0 || value > most {
        let detail = format!("expected a whole number from 1 to {most}");
        return Err(invalid_parameter(name, &detail));
    }
    Ok(value)
}

fn state(name: &str) -> Result<MessageState, Problem> {
    name.parse()
        .map_err(|error: domain::UnknownName| invalid_parameter("status", &error.to_string()))
}

/// A date stands for its midnight (UTC), or that of a day `days_later`; an instant stands for itself.
fn instant(
    name: &str,
    text: Option<&str>,
    days_later: u64,
) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    let date = text.parse::<NaiveDate>().ok();
    let midnight = date
        .and_then(|date| date.checked_add_days(Days::new(days_later)))
        .map(|date| date.and_time(NaiveTime::MIN).and_utc());
    let exact = || DateTime::parse_from_rfc3339(text).ok();
    midnight
        .or_else(|| exact().map(|instant| instant.to_utc()))
        // What lies before has no place in a time-ordered id.
        .filter(|instant| instant.timestamp() >= 0)
        .map(Some)
        .ok_or_else(|| {
            let expected =
                "expected a date like 2026-11-21 or an instant like 2026-11-21T09:30:00Z";
            invalid_parameter(name, expected)
        })
}
