//! Names and labels of the sender's metrics, once.

use std::time::Duration;

use domain::{Decision, WorkKind};
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use crate::doubt::Resend;

const SENDS: &str = "labwire_sends_total";
const UPLOADS: &str = "labwire_media_uploads_total";
const RESENDS: &str = "labwire_resends_total";
const UNCONFIRMED: &str = "labwire_messages_unconfirmed";
const PARKED: &str = "labwire_messages_parked";
const PARKED_SECONDS: &str = "labwire_messages_parked_oldest_seconds";
const DEAD_LETTERS: &str = "labwire_dead_letters";
const DECISIONS: &str = "labwire_decisions_total";

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_counter!(
        SENDS,
        "calls that sent a message, by what the provider answered"
    );
    describe_counter!(UPLOADS, "report files uploaded to the provider, by result");
    describe_counter!(
        RESENDS,
        "messages sent again whose first try was in doubt, by whose wish: the lab's policy or somebody's decision"
    );
    describe_gauge!(
        UNCONFIRMED,
        "messages of which nobody knows whether they were sent. Every sender counts all of them: take the maximum. \
         Alert when it grows for longer than the grace"
    );
    describe_gauge!(
        PARKED,
        "messages in doubt that wait for somebody's decision. Every sender counts all of them: take the maximum. \
         Alert when it is above 0: labwire unconfirmed list --parked"
    );
    describe_gauge!(
        PARKED_SECONDS,
        Unit::Seconds,
        "how long the one among the parked messages is in doubt that has been so longest; 0 if there is none. \
         Alert by how late a report may be"
    );
    describe_gauge!(
        DEAD_LETTERS,
        "work that was given up and waits for somebody, by kind. Every sender counts all of it: take the maximum. \
         Alert when it is above 0: labwire dead-letters list"
    );
    describe_counter!(
        DECISIONS,
        "what people decided about messages in doubt (sent, not_sent) and dead letters (replayed, discarded), by API and \
         command line. Every sender counts all of them: take the maximum"
    );
}

pub(crate) fn send(result: &'static str) {
    counter!(SENDS, "result" => result).increment(1);
}

pub(crate) fn upload(result: &'static str) {
    counter!(UPLOADS, "result" => result).increment(1);
}

pub(crate) fn resend(resend: Resend) {
    let cause = match resend {
        Resend::No => return,
        Resend::Policy => "policy",
        Resend::Decision => "operator",
    };
    counter!(RESENDS, "cause" => cause).increment(1);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no lab has 2^52 messages in doubt"
)]
pub(crate) fn in_doubt(unconfirmed: i64, parked: i64, longest: Duration) {
    gauge!(UNCONFIRMED).set(unconfirmed as f64);
    gauge!(PARKED).set(parked as f64);
    gauge!(PARKED_SECONDS).set(longest.as_secs_f64());
}

#[expect(
    clippy::cast_precision_loss,
    reason = "there is no room for 2^52 dead letters"
)]
pub(crate) fn dead_letters(kind: WorkKind, count: i64) {
    gauge!(DEAD_LETTERS, "kind" => kind.as_str()).set(count as f64);
}

pub(crate) fn decisions(decision: Decision, kind: WorkKind, count: i64) {
    counter!(DECISIONS, "decision" => decision.as_str(), "kind" => kind.as_str())
        .absolute(count.unsigned_abs());
}
