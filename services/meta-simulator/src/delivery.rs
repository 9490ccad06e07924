use std::{iter::repeat_n, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    config::Timing,
    engine::Engine,
    errors::webhook_error,
    faults::Effect,
    json::Fields,
    seed::Recipient,
    webhooks::{Due, StatusDue, Update},
    world::{Event, NumberRecord, Person, Status, digits},
};

/// An accepted message on its way, with all that its statuses say.
pub(crate) struct Delivery {
    pub(crate) wamid: String,
    pub(crate) number: NumberRecord,
    pub(crate) person: Person,
    /// Sent to a user id: the phone is only shown if the business knows it.
    pub(crate) phone_visible: bool,
    pub(crate) to_user_id: bool,
    pub(crate) opaque: Option<String>,
    /// `utility`, `service`, …
    pub(crate) category: String,
    pub(crate) in_window: bool,
    pub(crate) recipient: Recipient,
    /// Why it will not arrive, known at once but told later.
    pub(crate) failure: Option<Failure>,
}

/// The cause of a `failed` status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    pub(crate) code: u32,
    pub(crate) details: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: u32) -> Self {
        Self {
            code,
            details: None,
        }
    }
}

/// One status: when it happens, and when its webhook leaves.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Step {
    status: Status,
    happens: Duration,
    told: Duration,
    failure: Option<Failure>,
}

impl Delivery {
    /// Sets the statuses going. `taken` is told when the first of them was taken by a callback.
    pub(crate) fn begin(
        &self,
        engine: &Arc<Engine>,
        effects: &[Effect],
        taken: Option<oneshot::Sender<()>>,
    ) {
        let now = engine.now();
        let millis = effects.contains(&Effect::MillisecondTimestamps);
        let mut taken = taken;
        for step in self.plan(&engine.timing, effects) {
            let at = now + step.happens;
            let update = self.update(&step, at, millis);
            let error_code = step.failure.as_ref().map(|failure| failure.code);
            let event = Event {
                status: step.status,
                at,
                error_code,
            };
            let due = StatusDue {
                wamid: self.wamid.clone(),
                event,
                update,
                taken: taken.take(),
            };
            engine.after(step.told, Due::Status(Box::new(due)));
        }
    }

    /// The patient opens the chat.
    pub(crate) fn read_now(&self, engine: &Arc<Engine>) {
        let at = engine.now();
        let step = step(Status::Read, Duration::ZERO, None);
        let event = Event {
            status: Status::Read,
            at,
            error_code: None,
        };
        let update = self.update(&step, at, false);
        let due = StatusDue {
            wamid: self.wamid.clone(),
            event,
            update,
            taken: None,
        };
        engine.fire(Due::Status(Box::new(due)));
    }

    fn plan(&self, timing: &Timing, effects: &[Effect]) -> Vec<Step> {
        let mut steps = self.course(timing, effects);
        if effects.contains(&Effect::SkipDelivered)
            && steps.iter().any(|step| step.status == Status::Read)
        {
            steps.retain(|step| step.status != Status::Delivered);
        }
        if effects.contains(&Effect::ReorderStatuses) {
            let times: Vec<_> = steps.iter().rev().map(|step| step.happens).collect();
            for (step, told) in steps.iter_mut().zip(times) {
                step.told = told;
            }
            steps.reverse();
        }
        for effect in effects {
            match effect {
                Effect::DelayWebhooks { ms } => {
                    for step in &mut steps {
                        step.told += Duration::from_millis(*ms);
                    }
                }
                Effect::Duplicate { copies } => {
                    let times = usize::try_from(*copies).unwrap_or_default() + 1;
                    steps = steps
                        .into_iter()
                        .flat_map(|step| repeat_n(step, times))
                        .collect();
                }
                _ => {}
            }
        }
        steps
    }

    fn course(&self, timing: &Timing, effects: &[Effect]) -> Vec<Step> {
        let failed = |failure: Failure, after: Duration| step(Status::Failed, after, Some(failure));
        for effect in effects {
            match effect {
                Effect::NoStatuses => return Vec::new(),
                Effect::HoldForQuality => {
                    return vec![failed(Failure::new(132_015), timing.failed)];
                }
                Effect::Fail {
                    code,
                    after_sent: false,
                } => {
                    return vec![failed(Failure::new(*code), timing.failed)];
                }
                Effect::Fail {
                    code,
                    after_sent: true,
                } => {
                    let sent = step(Status::Sent, timing.sent, None);
                    return vec![
                        sent,
                        failed(Failure::new(*code), timing.failed.max(timing.sent)),
                    ];
                }
                Effect::DeliveredAfterFailed { code } => {
                    let delivered =
                        step(Status::Delivered, timing.delivered.max(timing.failed), None);
                    return vec![failed(Failure::new(*code), timing.failed), delivered];
                }
                _ => {}
            }
        }
        if let Some(failure) = &self.failure {
            return vec![failed(failure.clone(), timing.failed)];
        }
        let mut steps = vec![step(Status::Sent, timing.sent, None)];
        if !self.recipient.blocked {
            steps.push(step(Status::Delivered, timing.delivered, None));
            if self.recipient.auto_read {
                let read = self
                    .recipient
                    .reads_after_ms
                    .map_or(timing.read, Duration::from_millis);
                steps.push(step(Status::Read, read.max(timing.delivered), None));
            }
        }
        steps
    }

    fn update(&self, step: &Step, at: DateTime<Utc>, millis: bool) -> Update {
        let mut value = json!({
            "messaging_product": "whatsapp",
            "metadata": metadata(&self.number),
            "statuses": [self.status(step, at, millis)],
        });
        if step.status != Status::Failed {
            let profile = step.status != Status::Sent && self.person.username.is_some();
            value.set(
                "contacts",
                json!([self.person.contact(self.phone_visible, profile)]),
            );
        }
        Update {
            waba_id: self.number.waba_id.clone(),
            phone_number_id: Some(self.number.phone_number_id.clone()),
            field: "messages".into(),
            value,
        }
    }

    fn status(&self, step: &Step, at: DateTime<Utc>, millis: bool) -> Value {
        let timestamp = if millis {
            at.timestamp_millis()
        } else {
            at.timestamp()
        };
        let mut status = json!({
            "id": self.wamid,
            "status": step.status.word(),
            "timestamp": timestamp.to_string(),
        });
        if self.phone_visible {
            status.set("recipient_id", json!(self.person.wa_id));
        }
        if step.status != Status::Failed || self.to_user_id {
            status.set("recipient_user_id", json!(self.person.user_id));
        }
        if let Some(opaque) = &self.opaque {
            status.set("biz_opaque_callback_data", json!(opaque));
        }
        if matches!(step.status, Status::Sent | Status::Delivered) {
            status.set("pricing", self.pricing());
        }
        if let Some(failure) = &step.failure {
            status.set(
                "errors",
                json!([webhook_error(failure.code, failure.details.as_deref())]),
            );
        }
        status
    }

    fn pricing(&self) -> Value {
        let free = self.in_window && matches!(self.category.as_str(), "service" | "utility");
        json!({
            "billable": !free,
            "pricing_model": "PMP",
            "type": if free { "free_customer_service" } else { "regular" },
            "category": self.category,
        })
    }
}

fn step(status: Status, happens: Duration, failure: Option<Failure>) -> Step {
    Step {
        status,
        happens,
        told: happens,
        failure,
    }
}

pub(crate) fn metadata(number: &NumberRecord) -> Value {
    json!({
        "display_phone_number": digits(&number.display_phone_number),
        "phone_number_id": number.phone_number_id,
    })
}
