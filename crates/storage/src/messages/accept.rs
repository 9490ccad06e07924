use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
};

use chrono::{DateTime, Utc};
use domain::{FlowId, MessageId, WorkId, WorkKind};
use uuid::Uuid;

use super::Message;
use crate::{
    Connection, Result,
    attachments::{Attachment, insert_attachments},
    listener::CHANNEL,
    work::NewWork,
};

/// The sender's own name for a request: the same key with the same fingerprint is the same request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    pub key: String,
    pub fingerprint: Vec<u8>,
}

/// A message to accept, its file already in the object store.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub message: Message,
    pub attachment: Option<Attachment>,
    pub idempotency_key: Option<IdempotencyKey>,
    pub traceparent: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    Accepted,
    /// The key was used before for the same request: this is its message.
    Replayed {
        message_id: MessageId,
        created_at: DateTime<Utc>,
    },
    /// The key was used before for another request.
    KeyReused,
}

/// Accepts messages: content, state, timeline and work in the caller's transaction. One answer each, in order.
pub async fn accept(
    connection: &mut Connection,
    messages: &[impl Borrow<NewMessage>],
    now: DateTime<Utc>,
) -> Result<Vec<Acceptance>> {
    let messages: Vec<&NewMessage> = messages.iter().map(Borrow::borrow).collect();
    let accepted = insert(connection, &messages, now).await?;
    let is_new = |message: &&NewMessage| accepted.contains(&message.message.id);
    let (new, others): (Vec<&NewMessage>, Vec<&NewMessage>) =
        messages.iter().copied().partition(is_new);
    let attachments: Vec<Attachment> = new
        .into_iter()
        .filter_map(|new| new.attachment.clone())
        .collect();
    insert_attachments(connection, &attachments).await?;
    let holders = find_holders(connection, &others).await?;
    let answer = |message: &NewMessage| {
        if is_new(&message) {
            Acceptance::Accepted
        } else {
            holders.answer(message)
        }
    };
    Ok(messages.into_iter().map(answer).collect())
}

/// Claims the keys and stores all that belongs to the messages whose key nobody had: one statement, one round trip. Returns
/// the messages that were stored.
///
/// The work is what `send_work` says, and its owners are told as by `work::insert`.
async fn insert(
    connection: &mut Connection,
    messages: &[&NewMessage],
    now: DateTime<Utc>,
) -> Result<HashSet<MessageId>> {
    let works: Vec<NewWork> = messages
        .iter()
        .map(|new| send_work(&new.message, None))
        .collect();
    let row = sqlx::query!(
        r#"
        WITH item AS (
            SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::bytea[], $6::bytea[], $7::bytea[], $8::uuid[],
                $9::timestamptz[], $10::timestamptz[], $11::text[], $12::bytea[], $13::uuid[], $14::jsonb[], $15::uuid[], $16::smallint[],
                $17::text[]) WITH ORDINALITY
            AS item (id, tenant_id, sender_number_id, lane, recipient, recipient_hash, content, attachment_id, expires_at, created_at,
                key, fingerprint, entry, detail, work, partition, traceparent, place)
        ), claimed AS (
            INSERT INTO idempotency_keys (tenant_id, key, fingerprint, message_id, created_at)
            -- In one order everywhere, so that two batches cannot wait for each other.
            SELECT tenant_id, key, fingerprint, id, $18 FROM item WHERE key IS NOT NULL ORDER BY tenant_id, key, place
            ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING
            RETURNING message_id
        ), new AS (
            SELECT * FROM item WHERE key IS NULL OR id IN (SELECT message_id FROM claimed)
        ), stored AS (
            INSERT INTO messages (id, tenant_id, sender_number_id, lane, recipient, recipient_hash, content, attachment_id, expires_at, created_at)
            SELECT id, tenant_id, sender_number_id, lane, recipient, recipient_hash, content, attachment_id, expires_at, created_at FROM new
        ), begun AS (
            INSERT INTO message_state (message_id, tenant_id, state, base, updated_at)
            SELECT id, tenant_id, 'queued', 'queued', created_at FROM new
        ), noted AS (
            INSERT INTO timeline (message_id, id, tenant_id, at, kind, detail)
            SELECT id, entry, tenant_id, created_at, 'accepted', detail FROM new
        ), due AS (
            INSERT INTO work (id, kind, flow, partition, lane, subject, tenant_id, pair, state, due_at, expires_at, traceparent, created_at)
            SELECT work, $19, sender_number_id, partition, lane, id, tenant_id, recipient_hash, 'waiting', created_at, expires_at, traceparent,
                created_at
            FROM new
            RETURNING partition
        ), told AS (
            SELECT pg_notify($20, $19::text || ':' || place.partition) FROM (SELECT DISTINCT partition FROM due) AS place
        )
        SELECT ARRAY(SELECT id FROM new) AS "stored!", (SELECT count(*) FROM told) AS told
        "#,
        &messages.iter().map(|m| m.message.id.as_uuid()).collect::<Vec<_>>(),
        &messages.iter().map(|m| m.message.tenant_id.as_uuid()).collect::<Vec<_>>(),
        &messages.iter().map(|m| m.message.sender_number_id.as_uuid()).collect::<Vec<_>>(),
        &messages.iter().map(|m| m.message.lane.as_i16()).collect::<Vec<_>>(),
        &messages.iter().map(|m| m.message.recipient.as_slice()).collect::<Vec<_>>() as _,
        &messages.iter().map(|m| m.message.recipient_hash.as_slice()).collect::<Vec<_>>() as _,
        &messages.iter().map(|m| m.message.content.as_slice()).collect::<Vec<_>>() as _,
        &messages.iter().map(|m| m.message.attachment_id.map(|id| id.as_uuid())).collect::<Vec<_>>() as _,
        &messages.iter().map(|m| m.message.expires_at).collect::<Vec<_>>(),
        &messages.iter().map(|m| m.message.created_at).collect::<Vec<_>>(),
        &messages.iter().map(|m| m.idempotency_key.as_ref().map(|key| key.key.as_str())).collect::<Vec<_>>() as _,
        &messages.iter().map(|m| m.idempotency_key.as_ref().map(|key| key.fingerprint.as_slice())).collect::<Vec<_>>() as _,
        &messages.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        &messages.iter().map(|m| accepted_detail(m)).collect::<Vec<_>>(),
        &works.iter().map(|work| work.id.as_uuid()).collect::<Vec<_>>(),
        &works.iter().map(|work| work.flow.partition()).collect::<Vec<_>>(),
        &messages.iter().map(|m| m.traceparent.as_deref()).collect::<Vec<_>>() as _,
        now,
        WorkKind::Send.as_str(),
        CHANNEL,
    )
    .fetch_one(connection)
    .await?;
    Ok(row.stored.into_iter().map(MessageId::from_uuid).collect())
}

fn accepted_detail(new: &NewMessage) -> serde_json::Value {
    serde_json::json!({ "lane": new.message.lane.as_str(), "traceparent": new.traceparent })
}

/// Who has the keys that these messages came with.
async fn find_holders(connection: &mut Connection, messages: &[&NewMessage]) -> Result<Holders> {
    if messages.is_empty() {
        return Ok(Holders::default());
    }
    let keys = messages.iter().filter_map(|new| {
        let key = new.idempotency_key.as_ref()?;
        Some((new.message.tenant_id.as_uuid(), key.key.as_str()))
    });
    let (tenants, keys): (Vec<Uuid>, Vec<&str>) = keys.unzip();
    let rows = sqlx::query_as!(
        Holder,
        r#"
        SELECT k.tenant_id, k.key, k.fingerprint, k.message_id, k.created_at
        FROM UNNEST($1::uuid[], $2::text[]) AS item (tenant_id, key)
        -- One probe for each: without the OFFSET all keys of all these tenants are looked through.
        CROSS JOIN LATERAL (
            SELECT * FROM idempotency_keys AS k WHERE k.tenant_id = item.tenant_id AND k.key = item.key OFFSET 0) AS k
        "#,
        &tenants,
        &keys as _
    )
    .fetch_all(connection)
    .await?;
    let by_key = rows
        .into_iter()
        .map(|holder| ((holder.tenant_id, holder.key.clone()), holder));
    Ok(Holders(by_key.collect()))
}

/// A key and the message that has it.
struct Holder {
    tenant_id: Uuid,
    key: String,
    fingerprint: Vec<u8>,
    message_id: Uuid,
    created_at: DateTime<Utc>,
}

/// By lab and key.
#[derive(Default)]
struct Holders(HashMap<(Uuid, String), Holder>);

impl Holders {
    /// What became of a message whose key was taken.
    fn answer(&self, new: &NewMessage) -> Acceptance {
        let holder = new.idempotency_key.as_ref().and_then(|key| {
            let holder = self
                .0
                .get(&(new.message.tenant_id.as_uuid(), key.key.clone()))?;
            (holder.fingerprint == key.fingerprint).then_some(holder)
        });
        holder.map_or(Acceptance::KeyReused, |holder| Acceptance::Replayed {
            message_id: MessageId::from_uuid(holder.message_id),
            created_at: holder.created_at,
        })
    }
}

/// What sends a message. Sends of one number are one flow; one recipient of one number is one pair.
pub fn send_work(message: &Message, traceparent: Option<String>) -> NewWork {
    NewWork {
        id: WorkId::new_at(message.created_at),
        kind: WorkKind::Send,
        flow: FlowId::from_uuid(message.sender_number_id.as_uuid()),
        lane: message.lane,
        subject: message.id.as_uuid(),
        tenant_id: Some(message.tenant_id),
        pair: Some(message.recipient_hash.clone()),
        due_at: message.created_at,
        expires_at: Some(message.expires_at),
        traceparent,
        created_at: message.created_at,
    }
}
