//! Names and labels of the sender's metrics, once.

use metrics::{counter, describe_counter};

const SENDS: &str = "labwire_sends_total";
const UPLOADS: &str = "labwire_media_uploads_total";
const RESENDS: &str = "labwire_resends_total";

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_counter!(
        SENDS,
        "calls that sent a message, by what the provider answered"
    );
    describe_counter!(UPLOADS, "report files uploaded to the provider, by result");
    describe_counter!(
        RESENDS,
        "messages sent again after nothing was heard of the first try"
    );
}

pub(crate) fn send(result: &'static str) {
    counter!(SENDS, "result" => result).increment(1);
}

pub(crate) fn upload(result: &'static str) {
    counter!(UPLOADS, "result" => result).increment(1);
}

pub(crate) fn resends(count: usize) {
    counter!(RESENDS).increment(count as u64);
}
