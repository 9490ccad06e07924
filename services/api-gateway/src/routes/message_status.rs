use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{ErrorClass, FailureCause, FlowId, MessageId, MessageState, Scope, WorkKind};
use serde::Serialize;
use storage::{
    Connection,
    messages::{Message, MessageRow, TimelineEntry, find_message, find_state, list_timeline},
    sender_numbers::{SenderNumber, list_sender_numbers},
    work::{Wait, find_wait},
};
use web::{Problem, ValidPath};

use crate::{auth::LabKey, error::ApiError, gateway::Gateway};

#[derive(Serialize)]
pub(super) struct MessageStatus {
    message_id: MessageId,
    status: MessageState,
    created_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    read_at: Option<DateTime<Utc>>,
    failed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    attempts: i32,
    resends: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
    timeline: Vec<Entry>,
}

/// Why a message failed.
#[derive(Serialize)]
pub(super) struct Failure {
    code: &'static str,
    provider_code: Option<i64>,
    class: ErrorClass,
    message: String,
}

impl From<FailureCause> for Failure {
    fn from(cause: FailureCause) -> Self {
        Self {
            code: "MESSAGE_SEND_FAILED",
            provider_code: cause.code,
            class: cause.class,
            message: cause.detail,
        }
    }
}

#[derive(Serialize)]
struct Waiting {
    reason: String,
    /// Absent where it is not a matter of time.
    until: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
pub(super) struct Entry {
    at: DateTime<Utc>,
    kind: String,
    detail: serde_json::Value,
}

pub(super) async fn status(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath(id): ValidPath<MessageId>,
) -> Result<Json<MessageStatus>, ApiError> {
    // Another lab's message is not there for this transaction.
    let mut tx = gateway.database.begin_for(&[key.lab]).await?;
    Ok(Json(find_status(&mut tx, id, gateway.now()).await?))
}

/// How it is with a message that the transaction can see.
pub(super) async fn find_status(
    connection: &mut Connection,
    id: MessageId,
    now: DateTime<Utc>,
) -> Result<MessageStatus, ApiError> {
    let message = find_message(connection, id).await?;
    let message = message.ok_or_else(Problem::not_found)?;
    let row = find_state(connection, id).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let waiting = find_waiting(connection, &message, &row, now).await?;
    let timeline = list_timeline(connection, id).await?;
    Ok(MessageStatus::new(
        &row,
        message.created_at,
        waiting,
        timeline,
    ))
}

impl MessageStatus {
    fn new(
        row: &MessageRow,
        created_at: DateTime<Utc>,
        waiting: Option<Waiting>,
        timeline: Vec<TimelineEntry>,
    ) -> Self {
        // A failure that a later delivery disproved is history: the timeline has it.
        let failed = row.delivery.failed();
        Self {
            message_id: row.message_id,
            status: row.state(),
            created_at,
            sent_at: row.delivery.sent_at,
            delivered_at: row.delivery.delivered_at,
            read_at: row.delivery.read_at,
            failed_at: failed.map(|(at, _)| at),
            error: failed
                .and_then(|(_, cause)| cause)
                .cloned()
                .map(Failure::from),
            attempts: row.attempts,
            resends: row.resends,
            waiting,
            timeline: timeline.into_iter().map(Entry::from).collect(),
        }
    }
}

impl From<TimelineEntry> for Entry {
    fn from(entry: TimelineEntry) -> Self {
        Self {
            at: entry.at,
            kind: entry.kind,
            detail: entry.detail,
        }
    }
}

async fn find_waiting(
    connection: &mut Connection,
    message: &Message,
    row: &MessageRow,
    now: DateTime<Utc>,
) -> Result<Option<Waiting>, ApiError> {
    if !row.state().is_open() {
        return Ok(None);
    }
    let number = list_sender_numbers(connection, &[message.sender_number_id]).await?;
    let mut scopes: Vec<Scope> = number.iter().flat_map(SenderNumber::scopes).collect();
    let flow = FlowId::from_uuid(message.sender_number_id.as_uuid());
    scopes.push(Scope::pair(flow, &message.recipient_hash));
    let work = row.message_id.as_uuid();
    if let Some(wait) = find_wait(connection, WorkKind::Send, work, &scopes).await? {
        return Ok(Some(Waiting::new(wait, now)));
    }
    // Without work it is settled by now, or waits for somebody who looks after the dead letters.
    let row = find_state(connection, row.message_id).await?;
    let is_open = row.is_some_and(|row| row.state().is_open());
    Ok(is_open.then(|| Waiting {
        reason: "its send was given up; waiting for a decision".to_owned(),
        until: None,
    }))
}

impl Waiting {
    fn new(wait: Wait, now: DateTime<Utc>) -> Self {
        let in_time = wait.state == "waiting" && wait.due_at > now;
        let reason = wait.reason.unwrap_or_else(|| {
            let reason = match wait.state.as_str() {
                "waiting" if in_time => "the next attempt is not due yet",
                "waiting" => "it waits for its turn at the number's rate",
                "held" => "it is held until its cause is mended",
                _ => "it is being sent",
            };
            reason.to_owned()
        });
        Self {
            reason,
            until: in_time.then_some(wait.due_at),
        }
    }
}
