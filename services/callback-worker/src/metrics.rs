//! Names and labels of the callback worker's metrics, once.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};

use crate::Finding;

const CALLBACKS: &str = "labwire_callbacks_total";
const DURATION: &str = "labwire_callback_duration_seconds";

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_counter!(
        CALLBACKS,
        "callbacks acted on, by what came of it: delivered, again later, or given up"
    );
    describe_histogram!(DURATION, "how long endpoints took to answer or to fail");
}

pub(crate) fn acted(finding: &Finding) {
    let outcome = match finding {
        Finding::Delivered { .. } => "delivered",
        Finding::AlreadyDelivered => "already_delivered",
        Finding::Later { .. } => "retry",
        Finding::GivenUp { .. } => "dead",
    };
    counter!(CALLBACKS, "outcome" => outcome).increment(1);
}

pub(crate) fn posted(took: Duration) {
    histogram!(DURATION).record(took);
}
