//! Names and labels of the status worker's metrics, once.

use metrics::{counter, describe_counter};

const ITEMS: &str = "labwire_event_items_total";

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_counter!(ITEMS, "items of webhook events, by what they were");
}

pub(crate) fn item(kind: &'static str) {
    counter!(ITEMS, "kind" => kind).increment(1);
}
