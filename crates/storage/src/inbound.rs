//! What patients write, the 24-hour windows it opens, and status reports that match no message yet.

use chrono::{DateTime, Utc};
use domain::{InboundMessageId, ReportedStatus, SenderNumberId, StatusReport, TenantId};
use uuid::Uuid;

use crate::{Connection, Error, Result, error::parse};

/// A patient's message to store.
#[derive(Debug, Clone)]
pub struct NewInbound {
    pub id: InboundMessageId,
    pub tenant_id: TenantId,
    pub sender_number_id: SenderNumberId,
    pub wamid: String,
    pub kind: String,
    pub contact_hash: Vec<u8>,
    /// Sealed.
    pub content: Vec<u8>,
    pub sent_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
}

/// Stores an inbound message once; `false` for one that is known already.
pub async fn insert_inbound(connection: &mut Connection, inbound: &NewInbound) -> Result<bool> {
    let result = sqlx::query!(
        r#"
        INSERT INTO inbound_messages (id, tenant_id, sender_number_id, wamid, kind, contact_hash, content, sent_at, received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT ON CONSTRAINT inbound_messages_wamid_key DO NOTHING
        "#,
        inbound.id.as_uuid(),
        inbound.tenant_id.as_uuid(),
        inbound.sender_number_id.as_uuid(),
        inbound.wamid,
        inbound.kind,
        inbound.contact_hash,
        inbound.content,
        inbound.sent_at,
        inbound.received_at
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// A contact's window with a number.
#[derive(Debug, Clone)]
pub struct Window {
    pub sender_number_id: SenderNumberId,
    pub contact_hash: Vec<u8>,
    pub tenant_id: TenantId,
    pub expires_at: DateTime<Utc>,
}

/// Opens a window or prolongs it; a late message never shortens it.
pub async fn open_window(connection: &mut Connection, window: &Window) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO conversation_windows (sender_number_id, contact_hash, tenant_id, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT ON CONSTRAINT conversation_windows_pkey DO UPDATE
            SET expires_at = greatest(conversation_windows.expires_at, excluded.expires_at)
        "#,
        window.sender_number_id.as_uuid(),
        window.contact_hash,
        window.tenant_id.as_uuid(),
        window.expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Until when free-form messages to this contact are allowed.
pub async fn find_window(
    connection: &mut Connection,
    number: SenderNumberId,
    contact_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!(
        "SELECT expires_at FROM conversation_windows WHERE sender_number_id = $1 AND contact_hash = $2 AND expires_at > $3",
        number.as_uuid(),
        contact_hash,
        now
    )
    .fetch_optional(connection)
    .await?)
}

/// Serialises the two sides that join a status report with its send by wamid: whoever comes second sees the first.
/// Held to the end of the transaction.
pub async fn lock_wamids(connection: &mut Connection, wamids: &[String]) -> Result<()> {
    if wamids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        // In one order everywhere, so that two batches cannot wait for each other.
        r#"
        SELECT pg_advisory_xact_lock(key) AS "locked: ()"
        FROM (SELECT DISTINCT hashtextextended(wamid, 0) AS key FROM UNNEST($1::text[]) AS wamid ORDER BY key) AS ordered
        "#,
        wamids
    )
    .fetch_all(connection)
    .await?;
    Ok(())
}

/// Keeps a report whose message is not known yet. Requires `lock_wamids`.
pub async fn insert_unmatched(
    connection: &mut Connection,
    wamid: &str,
    report: &StatusReport,
    now: DateTime<Utc>,
) -> Result<()> {
    let cause = report.cause.as_ref().map(serde_json::to_value).transpose();
    sqlx::query!(
        r#"
        INSERT INTO unmatched_statuses (id, wamid, status, at, cause, received_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT ON CONSTRAINT unmatched_statuses_report_key DO NOTHING
        "#,
        Uuid::now_v7(),
        wamid,
        report.status.as_str(),
        report.at,
        cause.map_err(|_| Error::Unreadable { column: "unmatched_statuses.cause" })?,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes out the reports that waited for these wamids. Requires `lock_wamids`.
pub async fn take_unmatched(
    connection: &mut Connection,
    wamids: &[String],
) -> Result<Vec<(String, StatusReport)>> {
    if wamids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "DELETE FROM unmatched_statuses WHERE wamid = ANY ($1) RETURNING wamid, status, at, cause",
        wamids
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status: ReportedStatus = parse("unmatched_statuses.status", &row.status)?;
            let cause = row
                .cause
                .map(serde_json::from_value)
                .transpose()
                .map_err(|_| Error::Unreadable {
                    column: "unmatched_statuses.cause",
                })?;
            Ok((
                row.wamid,
                StatusReport {
                    status,
                    at: row.at,
                    cause,
                },
            ))
        })
        .collect()
}
