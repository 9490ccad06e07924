use std::{borrow::Borrow, collections::HashMap};

use chrono::{DateTime, Utc};
use domain::{FlowId, MessageId, WorkId, WorkKind};
use uuid::Uuid;

use super::{Message, NewTimelineEntry, insert_timeline};
use crate::{
    Connection, Result,
    attachments::{Attachment, insert_attachments},
    work::{self, NewWork},
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
    let earlier = claim_keys(connection, &messages, now).await?;
    let answers: Vec<Acceptance> = messages
        .iter()
        .map(|message| answer(message, &earlier))
        .collect();
    let new: Vec<&NewMessage> = messages
        .into_iter()
        .zip(&answers)
        .filter(|(_, answer)| **answer == Acceptance::Accepted)
        .map(|(message, _)| message)
        .collect();
    if !new.is_empty() {
        let attachments: Vec<Attachment> = new
            .iter()
            .filter_map(|new| new.attachment.clone())
            .collect();
        insert_attachments(connection, &attachments).await?;
        insert_messages(connection, &new).await?;
        insert_timeline(
            connection,
            &new.iter()
                .map(|new| accepted_entry(new))
                .collect::<Vec<_>>(),
        )
        .await?;
        work::insert(
            connection,
            &new.iter()
                .map(|new| send_work(&new.message, new.traceparent.clone()))
                .collect::<Vec<_>>(),
            None,
        )
        .await?;
    }
    Ok(answers)
}

type Claimed = HashMap<(Uuid, String), Holder>;

/// Inserts the keys and says who holds them: this message or an earlier one.
async fn claim_keys(
    connection: &mut Connection,
    messages: &[&NewMessage],
    now: DateTime<Utc>,
) -> Result<Claimed> {
    let (mut tenants, mut keys, mut fingerprints, mut ids) = (vec![], vec![], vec![], vec![]);
    for new in messages {
        if let Some(key) = &new.idempotency_key {
            tenants.push(new.message.tenant_id.as_uuid());
            keys.push(key.key.clone());
            fingerprints.push(key.fingerprint.clone());
            ids.push(new.message.id.as_uuid());
        }
    }
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let inserted = sqlx::query_as!(
        Holder,
        r#"
        INSERT INTO idempotency_keys (tenant_id, key, fingerprint, message_id, created_at)
        SELECT item.tenant_id, item.key, item.fingerprint, item.message_id, $5
        FROM UNNEST($1::uuid[], $2::text[], $3::bytea[], $4::uuid[]) WITH ORDINALITY AS item (tenant_id, key, fingerprint, message_id, place)
        -- In one order everywhere, so that two batches cannot wait for each other.
        ORDER BY item.tenant_id, item.key, item.place
        ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING
        RETURNING tenant_id, key, fingerprint, message_id, created_at
        "#,
        &tenants,
        &keys,
        &fingerprints,
        &ids,
        now
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut claimed: Claimed = inserted.into_iter().map(Holder::by_key).collect();
    if claimed.len() < keys.len() {
        claimed.extend(find_holders(connection, &tenants, &keys).await?);
    }
    Ok(claimed)
}

async fn find_holders(
    connection: &mut Connection,
    tenants: &[Uuid],
    keys: &[String],
) -> Result<Claimed> {
    let rows = sqlx::query_as!(
        Holder,
        r#"
        SELECT k.tenant_id, k.key, k.fingerprint, k.message_id, k.created_at
        FROM UNNEST($1::uuid[], $2::text[]) AS item (tenant_id, key)
        -- One probe for each: without the OFFSET all keys of all these tenants are looked through.
        CROSS JOIN LATERAL (
            SELECT * FROM idempotency_keys AS k WHERE k.tenant_id = item.tenant_id AND k.key = item.key OFFSET 0) AS k
        "#,
        tenants,
        keys
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Holder::by_key).collect())
}

/// A key and the message that has it.
struct Holder {
    tenant_id: Uuid,
    key: String,
    fingerprint: Vec<u8>,
    message_id: Uuid,
    created_at: DateTime<Utc>,
}

impl Holder {
    fn by_key(self) -> ((Uuid, String), Self) {
        ((self.tenant_id, self.key.clone()), self)
    }
}

fn answer(new: &NewMessage, claimed: &Claimed) -> Acceptance {
    let Some(key) = &new.idempotency_key else {
        return Acceptance::Accepted;
    };
    match claimed.get(&(new.message.tenant_id.as_uuid(), key.key.clone())) {
        Some(holder) if holder.message_id == new.message.id.as_uuid() => Acceptance::Accepted,
        Some(holder) if holder.fingerprint == key.fingerprint => Acceptance::Replayed {
            message_id: MessageId::from_uuid(holder.message_id),
            created_at: holder.created_at,
        },
        _ => Acceptance::KeyReused,
    }
}

async fn insert_messages(connection: &mut Connection, new: &[&NewMessage]) -> Result<()> {
    let ids: Vec<Uuid> = new.iter().map(|n| n.message.id.as_uuid()).collect();
    let tenants: Vec<Uuid> = new.iter().map(|n| n.message.tenant_id.as_uuid()).collect();
    let created: Vec<DateTime<Utc>> = new.iter().map(|n| n.message.created_at).collect();
    sqlx::query!(
        r#"
        WITH stored AS (
            INSERT INTO messages (id, tenant_id, sender_number_id, lane, recipient, recipient_hash, content, attachment_id, expires_at, created_at)
            SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::bytea[], $6::bytea[], $7::bytea[], $8::uuid[],
                                 $9::timestamptz[], $10::timestamptz[])
        )
        INSERT INTO message_state (message_id, tenant_id, state, base, updated_at)
        SELECT item.id, item.tenant_id, 'queued', 'queued', item.created_at
        FROM UNNEST($1::uuid[], $2::uuid[], $10::timestamptz[]) AS item (id, tenant_id, created_at)
        "#,
        &ids,
        &tenants,
        &new.iter().map(|n| n.message.sender_number_id.as_uuid()).collect::<Vec<_>>(),
        &new.iter().map(|n| n.message.lane.as_i16()).collect::<Vec<_>>(),
        &new.iter().map(|n| n.message.recipient.as_slice()).collect::<Vec<_>>() as _,
        &new.iter().map(|n| n.message.recipient_hash.as_slice()).collect::<Vec<_>>() as _,
        &new.iter().map(|n| n.message.content.as_slice()).collect::<Vec<_>>() as _,
        &new.iter().map(|n| n.message.attachment_id.map(|id| id.as_uuid())).collect::<Vec<_>>() as _,
        &new.iter().map(|n| n.message.expires_at).collect::<Vec<_>>(),
        &created
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn accepted_entry(new: &NewMessage) -> NewTimelineEntry {
    let Message {
        id,
        tenant_id,
        lane,
        created_at,
        ..
    } = &new.message;
    NewTimelineEntry {
        message_id: *id,
        tenant_id: *tenant_id,
        at: *created_at,
        kind: "accepted",
        detail: serde_json::json!({ "lane": lane.as_str(), "traceparent": new.traceparent }),
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
