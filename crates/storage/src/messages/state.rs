use chrono::{DateTime, Utc};
use domain::{Delivery, FailureCause, GivenUp, MessageId, MessageState, TenantId};
use uuid::Uuid;

use crate::{Connection, Error, Result, error::parse};

/// The part of a message that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRow {
    pub message_id: MessageId,
    pub tenant_id: TenantId,
    pub delivery: Delivery,
    pub wamid: Option<String>,
    pub attempts: i32,
    pub resends: i32,
    pub unconfirmed_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

impl MessageRow {
    pub fn state(&self) -> MessageState {
        self.delivery.state()
    }
}

pub(super) struct Row {
    pub(super) message_id: Uuid,
    pub(super) tenant_id: Uuid,
    pub(super) base: String,
    pub(super) given_up_at: Option<DateTime<Utc>>,
    pub(super) given_up: Option<serde_json::Value>,
    pub(super) wamid: Option<String>,
    pub(super) attempts: i32,
    pub(super) resends: i32,
    pub(super) sent_at: Option<DateTime<Utc>>,
    pub(super) delivered_at: Option<DateTime<Utc>>,
    pub(super) read_at: Option<DateTime<Utc>>,
    pub(super) failed_at: Option<DateTime<Utc>>,
    pub(super) failure: Option<serde_json::Value>,
    pub(super) unconfirmed_at: Option<DateTime<Utc>>,
    pub(super) updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for MessageRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let given_up = cause("message_state.given_up", row.given_up)?;
        Ok(Self {
            message_id: MessageId::from_uuid(row.message_id),
            tenant_id: TenantId::from_uuid(row.tenant_id),
            delivery: Delivery {
                base: parse("message_state.base", &row.base)?,
                given_up: (row.given_up_at.zip(given_up)).map(|(at, cause)| GivenUp { at, cause }),
                sent_at: row.sent_at,
                delivered_at: row.delivered_at,
                read_at: row.read_at,
                failed_at: row.failed_at,
                failure: cause("message_state.failure", row.failure)?,
            },
            wamid: row.wamid,
            attempts: row.attempts,
            resends: row.resends,
            unconfirmed_at: row.unconfirmed_at,
            updated_at: row.updated_at,
        })
    }
}

fn cause(column: &'static str, json: Option<serde_json::Value>) -> Result<Option<FailureCause>> {
    json.map(serde_json::from_value)
        .transpose()
        .map_err(|_| Error::Unreadable { column })
}

pub async fn find_state(connection: &mut Connection, id: MessageId) -> Result<Option<MessageRow>> {
    let row = sqlx::query_as!(
        Row,
        r#"
        SELECT message_id, tenant_id, base, given_up_at, given_up, wamid, attempts, resends, sent_at, delivered_at, read_at,
               failed_at, failure, unconfirmed_at, updated_at
        FROM message_state WHERE message_id = $1
        "#,
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await?;
    row.map(MessageRow::try_from).transpose()
}

/// Locks these rows to the end of the transaction, in key order, so that two batches cannot wait for each other.
pub async fn lock_states(
    connection: &mut Connection,
    ids: &[MessageId],
) -> Result<Vec<MessageRow>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT message_id, tenant_id, base, given_up_at, given_up, wamid, attempts, resends, sent_at, delivered_at, read_at,
               failed_at, failure, unconfirmed_at, updated_at
        FROM message_state WHERE message_id = ANY ($1) ORDER BY message_id FOR UPDATE
        "#,
        &ids.iter().map(MessageId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(MessageRow::try_from).collect()
}

/// The messages that these wamids name, not locked: lock them by id afterwards, all together.
pub async fn list_ids_by_wamid(
    connection: &mut Connection,
    wamids: &[String],
) -> Result<Vec<(String, MessageId)>> {
    let rows = sqlx::query!(
        r#"SELECT wamid AS "wamid!", message_id FROM message_state WHERE wamid = ANY ($1)"#,
        wamids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.wamid, MessageId::from_uuid(row.message_id)))
        .collect())
}

/// Writes rows back; the caller holds their locks.
pub async fn update_states(connection: &mut Connection, rows: &[MessageRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let instants =
        |f: fn(&MessageRow) -> Option<DateTime<Utc>>| rows.iter().map(f).collect::<Vec<_>>();
    let given_up = |row: &MessageRow| row.delivery.given_up.clone();
    let failures = causes(rows, |row| row.delivery.failure.clone())?;
    let given_up_causes = causes(rows, |row| given_up(row).map(|it| it.cause))?;
    sqlx::query!(
        r#"
        UPDATE message_state AS m
        SET state = item.state, base = item.base, wamid = item.wamid, attempts = item.attempts, resends = item.resends,
            sent_at = item.sent_at, delivered_at = item.delivered_at, read_at = item.read_at, failed_at = item.failed_at,
            failure = item.failure, unconfirmed_at = item.unconfirmed_at, updated_at = item.updated_at,
            given_up_at = item.given_up_at, given_up = item.given_up
        FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::integer[], $7::timestamptz[], $8::timestamptz[],
                    $9::timestamptz[], $10::timestamptz[], $11::jsonb[], $12::timestamptz[], $13::timestamptz[],
                    $14::timestamptz[], $15::jsonb[])
             AS item (message_id, state, base, wamid, attempts, resends, sent_at, delivered_at, read_at, failed_at, failure, unconfirmed_at, updated_at,
                      given_up_at, given_up)
        WHERE m.message_id = ANY ($1) AND m.message_id = item.message_id
        "#,
        &rows.iter().map(|r| r.message_id.as_uuid()).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.state().as_str().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.delivery.base.as_str().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.wamid.clone()).collect::<Vec<_>>() as _,
        &rows.iter().map(|r| r.attempts).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.resends).collect::<Vec<_>>(),
        &instants(|r| r.delivery.sent_at) as _,
        &instants(|r| r.delivery.delivered_at) as _,
        &instants(|r| r.delivery.read_at) as _,
        &instants(|r| r.delivery.failed_at) as _,
        &failures as _,
        &instants(|r| r.unconfirmed_at) as _,
        &rows.iter().map(|r| r.updated_at).collect::<Vec<_>>(),
        &rows.iter().map(|r| given_up(r).map(|it| it.at)).collect::<Vec<_>>() as _,
        &given_up_causes as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn causes(
    rows: &[MessageRow],
    cause: impl Fn(&MessageRow) -> Option<FailureCause>,
) -> Result<Vec<Option<serde_json::Value>>> {
    let causes = rows.iter().map(|row| {
        let json = cause(row).map(serde_json::to_value).transpose();
        json.map_err(|_| Error::Unreadable {
            column: "message_state.failure",
        })
    });
    causes.collect()
}

/// Locks messages that are past their lifetime while their send still waits: nothing was ever tried that could reach the patient.
pub async fn list_expired(
    connection: &mut Connection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<MessageId>> {
    let found = sqlx::query_scalar!(
        r#"
        SELECT w.subject FROM work AS w
        CROSS JOIN LATERAL (
            SELECT FROM message_state AS s WHERE s.message_id = w.subject AND s.state = 'queued' OFFSET 0) AS queued
        WHERE w.expires_at <= $1 AND w.kind = 'send' AND w.state IN ('waiting', 'held')
        ORDER BY w.expires_at LIMIT $2
        "#,
        now,
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_scalar!(
        r#"
        SELECT s.message_id FROM message_state AS s
        JOIN work AS w ON w.subject = s.message_id
        WHERE s.message_id = ANY ($1) AND w.subject = ANY ($1)
          AND w.kind = 'send' AND w.state IN ('waiting', 'held') AND s.state = 'queued'
        -- From here to the end of the transaction nobody starts to send them; one that is being recorded is left alone.
        FOR UPDATE OF w, s SKIP LOCKED
        "#,
        &found
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(MessageId::from_uuid).collect())
}
