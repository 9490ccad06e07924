use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use convergence::{Replayed, discard, replay, replay_matching};
use domain::{CallbackDeliveryId, DiscardReason, MessageId, TenantId, WorkId, WorkKind};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use storage::{
    Connection,
    callbacks::find_last_attempt,
    messages::{find_message, list_timeline},
    work::{DeadLetter, DeadLetterFilter, find_dead_letters, list_dead_letters},
};
use web::{Page, PageRequest, Problem, ValidJson, ValidPath, ValidQuery};

use super::message_status::Entry;
use crate::{
    auth::LabKey,
    error::{ApiError, invalid, invalid_parameter},
    gateway::Gateway,
};

/// What a lab may have dead letters of: events belong to no lab.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Send,
    Callback,
}

impl From<Kind> for WorkKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Send => Self::Send,
            Kind::Callback => Self::Callback,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Parameters {
    kind: Option<Kind>,
}

/// A dead letter, without anything of the patient's.
#[derive(Serialize)]
pub(super) struct Summary {
    id: WorkId,
    kind: WorkKind,
    message_id: Option<MessageId>,
    reason: String,
    attempts: i32,
    created_at: DateTime<Utc>,
    died_at: DateTime<Utc>,
}

impl From<DeadLetter> for Summary {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            kind: letter.kind,
            message_id: letter.message_id,
            reason: letter.reason,
            attempts: letter.attempt,
            created_at: letter.created_at,
            died_at: letter.died_at,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Detailed {
    #[serde(flatten)]
    summary: Summary,
    #[serde(flatten)]
    of: Of,
}

/// What is told of one kind alone.
#[derive(Serialize)]
#[serde(untagged)]
enum Of {
    Send {
        recipient: Option<String>,
        timeline: Vec<Entry>,
    },
    Callback {
        last_status: Option<i32>,
        last_error: Option<String>,
    },
}

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath(lab): ValidPath<TenantId>,
    ValidQuery(parameters): ValidQuery<Parameters>,
    page: PageRequest<(DateTime<Utc>, WorkId)>,
) -> Result<Json<Page<Summary>>, ApiError> {
    key.must_be(lab)?;
    let filter = DeadLetterFilter {
        tenant_id: Some(lab),
        kind: parameters.kind.map(WorkKind::from),
        ..DeadLetterFilter::default()
    };
    let one_more = i64::try_from(page.limit + 1).unwrap_or(i64::MAX);
    let mut tx = gateway.database.begin_for(&[lab]).await?;
    let letters = list_dead_letters(&mut tx, &filter, page.after, one_more).await?;
    let letters = Page::from_rows(letters, page.limit, |letter| (letter.died_at, letter.id));
    Ok(Json(letters.map(Summary::from)))
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath((lab, id)): ValidPath<(TenantId, WorkId)>,
) -> Result<Json<Detailed>, ApiError> {
    key.must_be(lab)?;
    let mut tx = gateway.database.begin_for(&[lab]).await?;
    let letter = find(&mut tx, id).await?;
    let of = match letter.kind {
        WorkKind::Send => {
            let id = MessageId::from_uuid(letter.subject);
            let message = find_message(&mut tx, id).await?;
            let timeline = list_timeline(&mut tx, id).await?;
            drop(tx);
            let recipient = match message {
                Some(message) => Some(gateway.last_digits(lab, &message.recipient).await?),
                None => None,
            };
            Of::Send {
                recipient,
                timeline: timeline.into_iter().map(Entry::from).collect(),
            }
        }
        WorkKind::Callback | WorkKind::Event => {
            let id = CallbackDeliveryId::from_uuid(letter.subject);
            let last = find_last_attempt(&mut tx, id).await?;
            Of::Callback {
                last_status: last.as_ref().and_then(|last| last.status),
                last_error: last.and_then(|last| last.error),
            }
        }
    };
    let summary = Summary::from(letter);
    Ok(Json(Detailed { summary, of }))
}

async fn find(connection: &mut Connection, id: WorkId) -> Result<DeadLetter, ApiError> {
    let found = find_dead_letters(connection, &[id]).await?.pop();
    Ok(found.ok_or_else(Problem::not_found)?)
}

#[derive(Serialize)]
pub(super) struct Answer {
    replayed: usize,
    /// Let go, because nothing is left to be done for them.
    settled: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_more: Option<bool>,
}

impl Answer {
    fn new(Replayed { replayed, settled }: Replayed, has_more: Option<bool>) -> Self {
        Self {
            replayed,
            settled,
            has_more,
        }
    }
}

pub(super) async fn replay_one(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath((lab, id)): ValidPath<(TenantId, WorkId)>,
) -> Result<Json<Answer>, ApiError> {
    key.must_be(lab)?;
    let mut tx = gateway.database.begin_for(&[lab]).await?;
    let letter = find(&mut tx, id).await?;
    let replayed = replay(&mut tx, vec![letter], key.decider(), gateway.now()).await?;
    if replayed == Replayed::default() {
        // Somebody else took it.
        return Err(Problem::not_found().into());
    }
    tx.commit().await.map_err(storage::Error::from)?;
    tracing::info!(lab = %lab, work.id = %id, "replayed {id}");
    Ok(Json(Answer::new(replayed, None)))
}

/// Which dead letters to replay. All of them is nothing that one says by leaving everything out.
#[derive(Deserialize)]
pub(super) struct Filter {
    kind: Option<Kind>,
    reason: Option<String>,
    died_before: Option<DateTime<Utc>>,
    died_after: Option<DateTime<Utc>>,
}

pub(super) async fn replay_many(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath(lab): ValidPath<TenantId>,
    ValidJson(filter): ValidJson<Filter>,
) -> Result<Json<Answer>, ApiError> {
    key.must_be(lab)?;
    let filter = DeadLetterFilter {
        tenant_id: Some(lab),
        kind: filter.kind.map(WorkKind::from),
        reason: filter.reason,
        died_before: filter.died_before,
        died_after: filter.died_after,
    };
    if filter.is_open() {
        let detail = "expected at least one of kind, reason, died_before and died_after";
        return Err(invalid("", detail).into());
    }
    let mut tx = gateway.database.begin_for(&[lab]).await?;
    let (replayed, has_more) =
        replay_matching(&mut tx, &filter, key.decider(), gateway.now()).await?;
    tx.commit().await.map_err(storage::Error::from)?;
    let count = replayed.replayed;
    tracing::info!(lab = %lab, count, has_more, "replayed {count} dead letters of {lab}");
    Ok(Json(Answer::new(replayed, Some(has_more))))
}

#[derive(Deserialize)]
pub(super) struct Why {
    reason: String,
}

/// Lets a dead letter go. Who did it, when and why is kept.
pub(super) async fn remove(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath((lab, id)): ValidPath<(TenantId, WorkId)>,
    ValidQuery(why): ValidQuery<Why>,
) -> Result<StatusCode, ApiError> {
    key.must_be(lab)?;
    let reason: DiscardReason = why
        .reason
        .parse()
        .map_err(|error: domain::InvalidReason| invalid_parameter("reason", &error.to_string()))?;
    let mut tx = gateway.database.begin_for(&[lab]).await?;
    let letter = find(&mut tx, id).await?;
    if !discard(&mut tx, letter, &reason, key.decider(), gateway.now()).await? {
        return Err(Problem::not_found().into());
    }
    tx.commit().await.map_err(storage::Error::from)?;
    tracing::info!(lab = %lab, work.id = %id, "discarded {id}");
    Ok(StatusCode::NO_CONTENT)
}

impl Gateway {
    /// By which a lab knows its patient's phone again, and nobody else does.
    async fn last_digits(&self, lab: TenantId, sealed: &[u8]) -> Result<String, ApiError> {
        let records = self.keys.tenant(lab).await?;
        let phone = records.open_recipient(sealed)?;
        let digits = phone.digits();
        let shown = digits.get(digits.len().saturating_sub(4)..);
        Ok(format!("••••{}", shown.unwrap_or_default()))
    }
}
