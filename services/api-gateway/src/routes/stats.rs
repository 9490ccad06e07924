use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Datelike as _, NaiveTime, Utc};
use domain::TenantId;
use serde::Serialize;
use storage::messages::find_stats;
use web::ValidPath;

use crate::{auth::LabKey, error::ApiError, gateway::Gateway};

#[derive(Serialize)]
pub(super) struct Stats {
    total_messages: i64,
    messages_this_month: i64,
    /// Of those whose fate is known, the percentage that reached the patient.
    success_rate: Option<f64>,
    last_message_sent: Option<DateTime<Utc>>,
}

pub(super) async fn stats(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath(lab): ValidPath<TenantId>,
) -> Result<Json<Stats>, ApiError> {
    key.must_be(lab)?;
    let mut tx = gateway.database.begin_for(&[lab]).await?;
    let stats = find_stats(&mut tx, lab, month_of(gateway.now())).await?;
    Ok(Json(Stats {
        total_messages: stats.total,
        messages_this_month: stats.this_month,
        success_rate: percentage(stats.reached, stats.settled),
        last_message_sent: stats.last_sent_at,
    }))
}

fn month_of(now: DateTime<Utc>) -> DateTime<Utc> {
    let first = now.date_naive().with_day(1).unwrap_or(now.date_naive());
    first.and_time(NaiveTime::MIN).and_utc()
}

/// With one decimal.
fn percentage(part: i64, whole: i64) -> Option<f64> {
    let (part, whole) = (u32::try_from(part).ok()?, u32::try_from(whole).ok()?);
    (whole > 0).then(|| (f64::from(part) * 1000.0 / f64::from(whole)).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::percentage;

    #[test]
    fn a_percentage_has_one_decimal_and_none_stands_for_nothing_settled() {
        assert_eq!(percentage(2, 3), Some(66.7));
        assert_eq!(percentage(3, 3), Some(100.0));
        assert_eq!(percentage(0, 7), Some(0.0));
        assert_eq!(percentage(0, 0), None);
    }
}
