use chrono::{DateTime, Utc};
use contracts::{CallbackError, CallbackPayload, InboundReceived, MessageUpdate};
use domain::{
    CallbackDeliveryId, ErrorClass, FlowId, Lane, MessageId, MessageState, TenantId, WorkId,
    WorkKind,
};
use storage::{
    Connection, Result,
    callbacks::{NewDelivery, insert_deliveries, list_endpoints},
    messages::MessageRow,
    work::{self, NewWork},
};

use crate::Changed;

struct Announcement {
    tenant_id: TenantId,
    message_id: Option<MessageId>,
    payload: CallbackPayload,
}

/// Tells the tenants' endpoints of messages that came to a new state.
pub(crate) async fn announce(
    connection: &mut Connection,
    changes: &[Changed],
    now: DateTime<Utc>,
) -> Result<()> {
    let announcements = changes
        .iter()
        .filter(|change| change.row.state() != change.before)
        .filter_map(|change| {
            let payload = CallbackPayload::updated(now, update(&change.row))?;
            Some(Announcement {
                tenant_id: change.row.tenant_id,
                message_id: Some(change.row.message_id),
                payload,
            })
        })
        .collect();
    enqueue(connection, announcements, now).await
}

/// Tells the tenants' endpoints that patients wrote.
pub async fn announce_inbound(
    connection: &mut Connection,
    received: Vec<InboundReceived>,
    now: DateTime<Utc>,
) -> Result<()> {
    let announcements = received
        .into_iter()
        .map(|received| Announcement {
            tenant_id: received.lab_id,
            message_id: None,
            payload: CallbackPayload::received(now, received),
        })
        .collect();
    enqueue(connection, announcements, now).await
}

fn update(row: &MessageRow) -> MessageUpdate {
    let state = row.state();
    let failed = row.delivery.failed();
    let occurred_at = match state {
        MessageState::Read => row.delivery.read_at,
        MessageState::Delivered => row.delivery.delivered_at,
        MessageState::Sent => row.delivery.sent_at,
        MessageState::Failed => failed.map(|(at, _)| at),
        _ => None,
    };
    MessageUpdate {
        lab_id: row.tenant_id,
        message_id: row.message_id,
        state,
        occurred_at: occurred_at.unwrap_or(row.updated_at),
        error: failed
            .and_then(|(_, cause)| cause)
            .map(|cause| CallbackError {
                code: public_code(cause.class, cause.code).to_owned(),
                provider_code: cause.code,
                class: cause.class,
            }),
    }
}

/// The stable code under which the API and the callbacks name a failure.
pub fn public_code(class: ErrorClass, provider_code: Option<i64>) -> &'static str {
    match (class, provider_code) {
        (ErrorClass::Credential, _) => "WHATSAPP_SESSION_EXPIRED",
        (ErrorClass::Account, _) => "WHATSAPP_SESSION_NOT_FOUND",
        (ErrorClass::Throttle(_), _) => "RATE_LIMIT_EXCEEDED",
        (ErrorClass::Unreachable, _) => "RECIPIENT_UNREACHABLE",
        _ => "MESSAGE_SEND_FAILED",
    }
}

async fn enqueue(
    connection: &mut Connection,
    announcements: Vec<Announcement>,
    now: DateTime<Utc>,
) -> Result<()> {
    if announcements.is_empty() {
        return Ok(());
    }
    let mut tenants: Vec<TenantId> = announcements.iter().map(|a| a.tenant_id).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let endpoints = list_endpoints(connection, &tenants).await?;
    let (mut deliveries, mut works) = (Vec::new(), Vec::new());
    for announcement in &announcements {
        let payload =
            serde_json::to_string(&announcement.payload).expect("a payload has only string keys");
        for endpoint in endpoints
            .iter()
            .filter(|endpoint| endpoint.tenant_id == announcement.tenant_id)
        {
            let id = CallbackDeliveryId::new_at(now);
            deliveries.push(NewDelivery {
                id,
                tenant_id: announcement.tenant_id,
                endpoint_id: endpoint.id,
                message_id: announcement.message_id,
                payload: payload.clone(),
            });
            works.push(NewWork {
                id: WorkId::new_at(now),
                kind: WorkKind::Callback,
                flow: FlowId::from_uuid(endpoint.id.as_uuid()),
                lane: Lane::Report,
                subject: id.as_uuid(),
                tenant_id: Some(announcement.tenant_id),
                pair: None,
                due_at: now,
                expires_at: None,
                traceparent: None,
                created_at: now,
            });
        }
    }
    insert_deliveries(connection, &deliveries, now).await?;
    work::insert(connection, &works, None).await
}
