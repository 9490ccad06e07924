use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// What goes wrong, and for whom: without a scope, for every message.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Fault {
    #[serde(flatten)]
    pub effect: Effect,
    #[serde(default)]
    pub on: Endpoint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
    /// The recipient's phone; only its digits count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How often it still happens; none is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The share of calls it happens to, from 0 to 1; none is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// The calls a fault happens to.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    #[default]
    Messages,
    Media,
    Management,
}

/// A misbehaviour to order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Waits before it looks at the call.
    Latency { ms: u64 },
    /// Refuses the call with a Graph error.
    Error {
        code: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<String>,
    },
    /// Reads the whole call, then resets the connection: nothing is accepted.
    RejectAfterBody,
    /// Accepts, then closes the connection without an answer; statuses flow.
    AcceptThenDrop,
    /// Accepts, then answers with an error; statuses flow.
    AcceptThenError { code: u32 },
    /// Accepts, then waits with the answer; statuses flow meanwhile.
    AnswerLate { ms: u64 },
    /// Accepts, answers the head and half of the body, and then nothing more until it closes the connection.
    AnswerHalf { ms: u64 },
    /// Accepts, and answers 200 with what is no JSON.
    AnswerGarbage,
    /// Answers a status with a page, as a proxy before the API would; the message was taken or not.
    AnswerPage { status: u16, accepted: bool },
    /// Accepts, and answers only after the `sent` webhook was taken.
    StatusBeforeAnswer,
    /// Fails after the fact with a webhook, `sent` before it or not.
    Fail {
        code: u32,
        #[serde(default)]
        after_sent: bool,
    },
    /// `failed` and then, from another device, `delivered`.
    DeliveredAfterFailed { code: u32 },
    /// Holds a template for quality and drops it: `failed` with 132015.
    HoldForQuality,
    /// No status ever comes.
    NoStatuses,
    /// `read` comes without `delivered`.
    SkipDelivered,
    /// The statuses come in the opposite order, with their true timestamps.
    ReorderStatuses,
    /// Status timestamps are milliseconds.
    MillisecondTimestamps,
    /// Every webhook of the message comes so many times more.
    Duplicate { copies: u32 },
    /// The webhooks of the message come so much later.
    DelayWebhooks { ms: u64 },
    /// Webhooks wait for each other, up to `size` of them or so long.
    BatchWebhooks { size: usize, ms: u64 },
}

impl Fault {
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            on: Endpoint::Messages,
            phone_number_id: None,
            to: None,
            times: None,
            rate: None,
        }
    }

    /// Refuses sends with `code`.
    pub fn error(code: u32) -> Self {
        Self::new(Effect::Error {
            code,
            details: None,
        })
    }

    #[must_use]
    pub fn on(mut self, endpoint: Endpoint) -> Self {
        self.on = endpoint;
        self
    }

    #[must_use]
    pub fn number(mut self, phone_number_id: impl Into<String>) -> Self {
        self.phone_number_id = Some(phone_number_id.into());
        self
    }

    #[must_use]
    pub fn to(mut self, phone: impl Into<String>) -> Self {
        self.to = Some(phone.into());
        self
    }

    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    #[must_use]
    pub fn rate(mut self, share: f64) -> Self {
        self.rate = Some(share);
        self
    }

    fn concerns(&self, call: &Call<'_>) -> bool {
        let number = self.phone_number_id.as_deref();
        let to = self.to.as_deref().map(digits);
        self.on == call.endpoint
            && number.is_none_or(|number| call.phone_number_id == Some(number))
            && to.is_none_or(|to| call.to.is_some_and(|called| digits(called) == to))
    }
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// One call as faults see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) phone_number_id: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
}

/// The faults on order. Cheap to clone; all clones are the same list.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Orders>>);

#[derive(Debug, Default)]
struct Orders {
    next_id: u64,
    list: Vec<(u64, Fault)>,
    dice: Dice,
}

impl Faults {
    /// Orders a fault; the answer is what `remove` wants.
    pub fn add(&self, fault: Fault) -> u64 {
        let mut orders = self.orders();
        orders.next_id += 1;
        let id = orders.next_id;
        orders.list.push((id, fault));
        id
    }

    /// Takes a fault back; false if it was already used up.
    pub fn remove(&self, id: u64) -> bool {
        let mut orders = self.orders();
        let before = orders.list.len();
        orders.list.retain(|(kept, _)| *kept != id);
        orders.list.len() < before
    }

    pub fn clear(&self) {
        self.orders().list.clear();
    }

    pub fn list(&self) -> Vec<(u64, Fault)> {
        self.orders().list.clone()
    }

    /// What happens to this call. Counted faults are used up by it.
    pub(crate) fn take(&self, call: &Call<'_>) -> Vec<Effect> {
        self.orders().take(|fault| {
            fault.concerns(call) && !matches!(fault.effect, Effect::BatchWebhooks { .. })
        })
    }

    /// Whether the next webhooks wait for each other.
    pub(crate) fn take_batching(&self) -> Option<Effect> {
        self.orders()
            .take(|fault| matches!(fault.effect, Effect::BatchWebhooks { .. }))
            .pop()
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders {
    fn take(&mut self, wanted: impl Fn(&Fault) -> bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (_, fault) in &mut self.list {
            if !wanted(fault) || fault.rate.is_some_and(|share| self.dice.roll() >= share) {
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times = times.saturating_sub(1);
            }
            effects.push(fault.effect.clone());
        }
        self.list.retain(|(_, fault)| fault.times != Some(0));
        effects
    }
}

/// A small generator: the same calls in the same order meet the same faults in every run.
#[derive(Debug)]
struct Dice(u64);

impl Default for Dice {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let top = u32::try_from(self.0 >> 32).unwrap_or(u32::MAX);
        f64::from(top) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(to: &str) -> Call<'_> {
        Call {
            endpoint: Endpoint::Messages,
            phone_number_id: Some("1"),
            to: Some(to),
        }
    }

    #[test]
    fn a_counted_fault_is_used_up() {
        let faults = Faults::default();
        faults.add(Fault::error(131_000).times(2));
        let hits: Vec<_> = (0..3).map(|_| faults.take(&send("+911")).len()).collect();
        assert_eq!(hits, [1, 1, 0]);
    }

    #[test]
    fn a_fault_for_one_recipient_spares_the_others() {
        let faults = Faults::default();
        faults.add(Fault::error(131_000).to("+91 98-1"));
        assert_eq!(faults.take(&send("+91981")).len(), 1);
        assert_eq!(faults.take(&send("+91982")).len(), 0);
    }

    #[test]
    fn a_rate_is_kept() {
        let faults = Faults::default();
        faults.add(Fault::error(131_000).rate(0.25));
        let hits: usize = (0..4000).map(|_| faults.take(&send("+911")).len()).sum();
        assert!((850..1150).contains(&hits), "{hits} of 4000");
    }

    #[test]
    fn the_order_in_json_reads_plainly() {
        let fault: Fault =
            serde_json::from_str(r#"{"effect":"error","code":4,"to":"+911","times":3}"#).unwrap();
        assert_eq!(
            fault.effect,
            Effect::Error {
                code: 4,
                details: None
            }
        );
        assert_eq!((fault.times, fault.on), (Some(3), Endpoint::Messages));
    }
}
