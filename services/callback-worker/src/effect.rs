use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::CallbackType;
use dispatch::{Claim, Outcome};
use domain::{CallbackDeliveryId, MessageId, TenantId};
use serde::Deserialize;
use serde_json::json;
use storage::{
    callbacks::{Attempt, Delivery},
    messages::NewTimelineEntry,
};

/// What acting on a callback found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    pub finding: Finding,
    /// What the callback is about, if it was read.
    pub(crate) subject: Option<Subject>,
    /// When it was found out.
    pub at: DateTime<Utc>,
}

/// The possible findings. `status` is what the endpoint answered, if it did.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    Delivered {
        status: u16,
    },
    /// An earlier attempt was recorded as delivered: nothing to do.
    AlreadyDelivered,
    /// Again after this long. `failed` counts against the schedule.
    Later {
        after: Duration,
        failed: bool,
        status: Option<u16>,
        reason: String,
    },
    GivenUp {
        status: Option<u16>,
        reason: String,
    },
}

/// What a callback is about, for the message's timeline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Subject {
    tenant_id: TenantId,
    message_id: Option<MessageId>,
    r#type: Option<CallbackType>,
}

#[derive(Deserialize)]
struct Typed {
    r#type: CallbackType,
}

impl From<&Delivery> for Subject {
    fn from(delivery: &Delivery) -> Self {
        Self {
            tenant_id: delivery.tenant_id,
            message_id: delivery.message_id,
            r#type: serde_json::from_str(&delivery.payload)
                .ok()
                .map(|Typed { r#type }| r#type),
        }
    }
}

impl Effect {
    /// What the delivery's record learns of it; nothing if it was no attempt.
    pub(crate) fn attempt(&self, claim: &Claim) -> Option<Attempt> {
        let (status, error, delivered_at) = match &self.finding {
            Finding::Delivered { status } => (Some(*status), None, Some(self.at)),
            Finding::Later {
                failed: true,
                status,
                reason,
                ..
            }
            | Finding::GivenUp { status, reason } => (*status, Some(reason.clone()), None),
            Finding::Later { .. } | Finding::AlreadyDelivered => return None,
        };
        Some(Attempt {
            id: CallbackDeliveryId::from_uuid(claim.subject),
            status: status.map(i32::from),
            error,
            delivered_at,
        })
    }

    /// What the message's timeline says of it.
    pub(crate) fn entry(&self, claim: &Claim) -> Option<NewTimelineEntry> {
        let (result, status, error) = match &self.finding {
            Finding::Delivered { status } => ("delivered", Some(*status), None),
            Finding::Later {
                failed: true,
                status,
                reason,
                ..
            } => ("retry", *status, Some(reason)),
            Finding::GivenUp { status, reason } => ("given_up", *status, Some(reason)),
            Finding::Later { .. } | Finding::AlreadyDelivered => return None,
        };
        let subject = self.subject.as_ref()?;
        Some(NewTimelineEntry {
            message_id: subject.message_id?,
            tenant_id: subject.tenant_id,
            at: self.at,
            kind: "callback",
            detail: json!({
                "delivery_id": CallbackDeliveryId::from_uuid(claim.subject),
                "type": subject.r#type,
                "attempt": claim.attempt,
                "result": result,
                "status": status,
                "error": error,
            }),
        })
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match &self.finding {
            Finding::Delivered { .. } | Finding::AlreadyDelivered => Outcome::Done,
            Finding::Later {
                after,
                failed,
                reason,
                ..
            } => Outcome::Retry {
                after: *after,
                failed: *failed,
                reason: reason.clone(),
            },
            Finding::GivenUp { reason, .. } => Outcome::Dead {
                reason: reason.clone(),
            },
        }
    }
}
