//! What people decided about work that could not go on by itself.

use chrono::{DateTime, Utc};
use domain::{Decider, Decision, TenantId, WorkKind};
use uuid::Uuid;

use crate::{Connection, Result, error::parse};

/// A decision to remember.
#[derive(Debug, Clone)]
pub struct NewDecision {
    /// `None`: work of no tenant.
    pub tenant_id: Option<TenantId>,
    pub decision: Decision,
    /// The kind of the work, and what it is about.
    pub kind: WorkKind,
    pub subject: Uuid,
    /// In words that name no patient.
    pub reason: Option<String>,
    pub by: Decider,
}

pub async fn insert_decisions(
    connection: &mut Connection,
    decisions: &[NewDecision],
    now: DateTime<Utc>,
) -> Result<()> {
    if decisions.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO decisions (id, tenant_id, decision, kind, subject, reason, decided_by, decided_at)
        SELECT item.*, $8 FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[]) AS item
        "#,
        &decisions.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        &decisions.iter().map(|d| d.tenant_id.map(|id| id.as_uuid())).collect::<Vec<_>>() as _,
        &decisions.iter().map(|d| d.decision.as_str().to_owned()).collect::<Vec<_>>(),
        &decisions.iter().map(|d| d.kind.as_str().to_owned()).collect::<Vec<_>>(),
        &decisions.iter().map(|d| d.subject).collect::<Vec<_>>(),
        &decisions.iter().map(|d| d.reason.clone()).collect::<Vec<_>>() as _,
        &decisions.iter().map(|d| d.by.to_string()).collect::<Vec<_>>(),
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How often each decision was taken about each kind of work.
pub async fn count_decisions(
    connection: &mut Connection,
) -> Result<Vec<(Decision, WorkKind, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT decision, kind, count(*) AS "count!" FROM decisions GROUP BY decision, kind"#
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok((
                parse("decisions.decision", &row.decision)?,
                parse("decisions.kind", &row.kind)?,
                row.count,
            ))
        })
        .collect()
}
