//! What patients write, the 24-hour windows it opens, and status reports that match no message yet.

use std::collections::HashSet;

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

/// Stores inbound messages once; returns which of them were not known before.
pub async fn insert_inbound(
    connection: &mut Connection,
    inbound: &[NewInbound],
) -> Result<HashSet<InboundMessageId>> {
    if inbound.is_empty() {
        return Ok(HashSet::new());
    }
    let stored = sqlx::query_scalar!(
        // In one order everywhere, so that two batches cannot wait for each other.
        r#"
        INSERT INTO inbound_messages (id, tenant_id, sender_number_id, wamid, kind, contact_hash, content, sent_at, received_at)
        SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::timestamptz[],
                             $9::timestamptz[])
            AS item (id, tenant_id, sender_number_id, wamid, kind, contact_hash, content, sent_at, received_at)
        ORDER BY item.sender_number_id, item.wamid, item.id
        ON CONFLICT ON CONSTRAINT inbound_messages_wamid_key DO NOTHING
        RETURNING id
        "#,
        &inbound.iter().map(|it| it.id.as_uuid()).collect::<Vec<_>>(),
        &inbound.iter().map(|it| it.tenant_id.as_uuid()).collect::<Vec<_>>(),
        &inbound.iter().map(|it| it.sender_number_id.as_uuid()).collect::<Vec<_>>(),
        &inbound.iter().map(|it| it.wamid.clone()).collect::<Vec<_>>(),
        &inbound.iter().map(|it| it.kind.clone()).collect::<Vec<_>>(),
        &inbound.iter().map(|it| it.contact_hash.clone()).collect::<Vec<_>>(),
        &inbound.iter().map(|it| it.content.clone()).collect::<Vec<_>>(),
        &inbound.iter().map(|it| it.sent_at).collect::<Vec<_>>(),
        &inbound.iter().map(|it| it.received_at).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    Ok(stored
        .into_iter()
        .map(InboundMessageId::from_uuid)
        .collect())
}

/// A contact's window with a number.
#[derive(Debug, Clone)]
pub struct Window {
    pub sender_number_id: SenderNumberId,
    pub contact_hash: Vec<u8>,
    pub tenant_id: TenantId,
    pub expires_at: DateTime<Utc>,
}

/// Opens windows or prolongs them; a late message never shortens one.
pub async fn open_windows(connection: &mut Connection, windows: &[Window]) -> Result<()> {
    if windows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        // In one order everywhere, so that two batches cannot wait for each other.
        r#"
        INSERT INTO conversation_windows (sender_number_id, contact_hash, tenant_id, expires_at)
        SELECT DISTINCT ON (item.sender_number_id, item.contact_hash) item.*
        FROM UNNEST($1::uuid[], $2::bytea[], $3::uuid[], $4::timestamptz[])
            AS item (sender_number_id, contact_hash, tenant_id, expires_at)
        ORDER BY item.sender_number_id, item.contact_hash, item.expires_at DESC
        ON CONFLICT ON CONSTRAINT conversation_windows_pkey DO UPDATE
            SET expires_at = greatest(conversation_windows.expires_at, excluded.expires_at)
        "#,
        &windows
            .iter()
            .map(|it| it.sender_number_id.as_uuid())
            .collect::<Vec<_>>(),
        &windows
            .iter()
            .map(|it| it.contact_hash.clone())
            .collect::<Vec<_>>(),
        &windows
            .iter()
            .map(|it| it.tenant_id.as_uuid())
            .collect::<Vec<_>>(),
        &windows.iter().map(|it| it.expires_at).collect::<Vec<_>>()
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

/// Keeps reports whose messages, by these wamids, are not known yet. Requires `lock_wamids`.
pub async fn insert_unmatched(
    connection: &mut Connection,
    reports: &[(String, StatusReport)],
    now: DateTime<Utc>,
) -> Result<()> {
    if reports.is_empty() {
        return Ok(());
    }
    let causes = reports.iter().map(|(_, report)| {
        let cause = report.cause.as_ref().map(serde_json::to_value);
        cause.transpose().map_err(|_| Error::Unreadable {
            column: "unmatched_statuses.cause",
        })
    });
    sqlx::query!(
        r#"
        INSERT INTO unmatched_statuses (id, wamid, status, at, cause, received_at)
        SELECT item.*, $6 FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::jsonb[]) AS item
        ON CONFLICT ON CONSTRAINT unmatched_statuses_report_key DO NOTHING
        "#,
        &reports.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        &reports.iter().map(|(wamid, _)| wamid.clone()).collect::<Vec<_>>(),
        &reports.iter().map(|(_, report)| report.status.as_str().to_owned()).collect::<Vec<_>>(),
        &reports.iter().map(|(_, report)| report.at).collect::<Vec<_>>(),
        &causes.collect::<Result<Vec<_>>>()? as &[Option<serde_json::Value>],
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
