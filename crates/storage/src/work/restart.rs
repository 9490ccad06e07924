use domain::{WorkId, WorkKind};
use uuid::Uuid;

use super::insert::signal;
use crate::{Connection, Result, error::parse};

/// Work that nobody else can take or change until the end of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    pub id: WorkId,
    /// A consumer has it: what becomes of it is that one's to say.
    pub is_claimed: bool,
}

/// Locks the work of this kind on this subject, if there is any.
pub async fn lock_work(
    connection: &mut Connection,
    kind: WorkKind,
    subject: Uuid,
) -> Result<Option<Locked>> {
    let row = sqlx::query!(
        "SELECT id, state FROM work WHERE kind = $1 AND subject = $2 FOR UPDATE",
        kind.as_str(),
        subject
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Locked {
        id: WorkId::from_uuid(row.id),
        is_claimed: row.state == "claimed",
    }))
}

/// Work that waits for whatever reason is due now, at the place that it had from the beginning and with a fresh retry budget.
/// What is claimed is left alone.
pub async fn restart(connection: &mut Connection, id: WorkId) -> Result<bool> {
    let row = sqlx::query!(
        r#"
        UPDATE work SET state = 'waiting', hold_scope = NULL, lease_until = NULL, reason = NULL, due_at = created_at, failures = 0, losses = 0
        WHERE id = $1 AND state <> 'claimed' RETURNING kind, partition
        "#,
        id.as_uuid()
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let place = (parse::<WorkKind>("work.kind", &row.kind)?, row.partition);
    signal(connection, std::iter::once(place)).await?;
    Ok(true)
}
