//! Names and labels of the webhook ingest's metrics, once.

use metrics::{counter, describe_counter};

const WEBHOOKS: &str = "labwire_webhooks_total";
const HINTS_DROPPED: &str = "labwire_webhook_hints_dropped_total";

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_counter!(WEBHOOKS, "webhooks received, by what became of them");
    describe_counter!(
        HINTS_DROPPED,
        "stored events that were not published at once; the release lease brings them in"
    );
}

pub(crate) fn webhook(result: &'static str) {
    counter!(WEBHOOKS, "result" => result).increment(1);
}

pub(crate) fn hints_dropped(events: usize) {
    counter!(HINTS_DROPPED).increment(events as u64);
}
