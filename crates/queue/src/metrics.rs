//! The names of this crate's metrics and of their labels. Every label value is from a closed set.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::{delivery::Verdict, message::PublishError, topology::Queue};

const PUBLISHED: &str = "labwire_queue_published_total";
const CONFIRMED: &str = "labwire_queue_confirmed_total";
const FAILED: &str = "labwire_queue_publish_failed_total";
const CONSUMED: &str = "labwire_queue_consumed_total";
const SETTLED: &str = "labwire_queue_settled_total";
const CONNECTED: &str = "labwire_queue_connected";
const RECONNECTS: &str = "labwire_queue_reconnects_total";

/// Tells the installed recorder what each metric means.
pub fn describe() {
    describe_counter!(PUBLISHED, "Messages handed to the broker, by queue");
    describe_counter!(CONFIRMED, "Messages the broker confirmed, by queue");
    describe_counter!(
        FAILED,
        "Messages not known to be in their queue, by queue and reason"
    );
    describe_counter!(CONSUMED, "Deliveries handed to consumers, by queue");
    describe_counter!(
        SETTLED,
        "Deliveries settled by consumers, by queue and verdict"
    );
    describe_gauge!(CONNECTED, "1 while the connection is usable, by role");
    describe_counter!(RECONNECTS, "Connections lost and to be made again, by role");
}

pub(crate) fn published(queue: Queue, results: &[Result<(), PublishError>]) {
    let queue = queue.label();
    counter!(PUBLISHED, "queue" => queue).increment(results.len() as u64);
    let confirmed = results.iter().filter(|result| result.is_ok()).count();
    counter!(CONFIRMED, "queue" => queue).increment(confirmed as u64);
    for error in results.iter().filter_map(|result| result.err()) {
        counter!(FAILED, "queue" => queue, "reason" => reason(error)).increment(1);
    }
}

pub(crate) fn consumed(queue: Queue) {
    counter!(CONSUMED, "queue" => queue.label()).increment(1);
}

pub(crate) fn settled(queue: Queue, verdict: Verdict) {
    let verdict = match verdict {
        Verdict::Ack => "ack",
        Verdict::Reject => "reject",
        Verdict::Requeue => "requeue",
    };
    counter!(SETTLED, "queue" => queue.label(), "verdict" => verdict).increment(1);
}

pub(crate) fn connected(role: &'static str, connected: bool) {
    gauge!(CONNECTED, "role" => role).set(f64::from(u8::from(connected)));
}

pub(crate) fn reconnecting(role: &'static str) {
    counter!(RECONNECTS, "role" => role).increment(1);
}

fn reason(error: PublishError) -> &'static str {
    match error {
        PublishError::Unavailable => "unavailable",
        PublishError::Unroutable => "unroutable",
        PublishError::Nacked => "nacked",
        PublishError::Unknown => "unknown",
    }
}
