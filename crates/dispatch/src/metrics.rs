//! Names and labels of the engine's metrics, once.

use std::time::Duration;

use domain::WorkKind;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::Outcome;

const RELEASED: &str = "labwire_work_released_total";
const KEPT: &str = "labwire_work_kept_total";
const PUBLISH_FAILED: &str = "labwire_work_hints_failed_total";
const CLAIMED: &str = "labwire_work_claimed_total";
const STALE: &str = "labwire_work_hints_stale_total";
const ABANDONED: &str = "labwire_work_abandoned_total";
const PANICS: &str = "labwire_work_panics_total";
const HUNG: &str = "labwire_work_hung_total";
const OUTCOMES: &str = "labwire_work_outcomes_total";
const RECORD_FAILURES: &str = "labwire_work_record_failures_total";
const PARTITIONS: &str = "labwire_work_partitions_owned";
const TURN_SECONDS: &str = "labwire_work_release_turn_seconds";

/// Tells the recorder what the metrics mean.
pub fn describe() {
    describe_counter!(RELEASED, "work rows released to the broker");
    describe_counter!(
        KEPT,
        "work rows that their releaser claimed for its own process, without the broker"
    );
    describe_counter!(
        PUBLISH_FAILED,
        "released rows whose hint could not be published; they are released again"
    );
    describe_counter!(CLAIMED, "work rows claimed by a consumer");
    describe_counter!(
        STALE,
        "rows named by a hint that were not there to claim: duplicates and redeliveries"
    );
    describe_counter!(ABANDONED, "claims whose consumer was lost");
    describe_counter!(PANICS, "claims that ended in a panic of their handler");
    describe_counter!(HUNG, "claims whose handler never returned");
    describe_counter!(OUTCOMES, "outcomes of claims");
    describe_counter!(
        RECORD_FAILURES,
        "transactions of outcomes that failed and were tried again"
    );
    describe_gauge!(PARTITIONS, "partitions that this replica releases");
    describe_histogram!(
        TURN_SECONDS,
        Unit::Seconds,
        "time of one turn of the releaser"
    );
}

pub(crate) fn released(kind: WorkKind, rows: usize) {
    counter!(RELEASED, "kind" => kind.as_str()).increment(rows as u64);
}

/// Also counted as claimed.
pub(crate) fn kept(kind: WorkKind, rows: usize) {
    counter!(KEPT, "kind" => kind.as_str()).increment(rows as u64);
    claimed(kind, rows, rows);
}

pub(crate) fn publish_failed(kind: WorkKind, rows: usize) {
    counter!(PUBLISH_FAILED, "kind" => kind.as_str()).increment(rows as u64);
}

pub(crate) fn claimed(kind: WorkKind, rows: usize, named: usize) {
    counter!(CLAIMED, "kind" => kind.as_str()).increment(rows as u64);
    counter!(STALE, "kind" => kind.as_str()).increment(named.saturating_sub(rows) as u64);
}

pub(crate) fn abandoned(kind: WorkKind, rows: usize) {
    counter!(ABANDONED, "kind" => kind.as_str()).increment(rows as u64);
}

pub(crate) fn panicked(kind: WorkKind) {
    counter!(PANICS, "kind" => kind.as_str()).increment(1);
}

pub(crate) fn hung(kind: WorkKind) {
    counter!(HUNG, "kind" => kind.as_str()).increment(1);
}

pub(crate) fn outcome(kind: WorkKind, outcome: &Outcome) {
    counter!(OUTCOMES, "kind" => kind.as_str(), "outcome" => outcome.as_str()).increment(1);
}

pub(crate) fn record_failed(kind: WorkKind) {
    counter!(RECORD_FAILURES, "kind" => kind.as_str()).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "there are sixteen partitions")]
pub(crate) fn partitions(kind: WorkKind, owned: usize) {
    gauge!(PARTITIONS, "kind" => kind.as_str()).set(owned as f64);
}

pub(crate) fn turn(kind: WorkKind, took: Duration) {
    histogram!(TURN_SECONDS, "kind" => kind.as_str()).record(took);
}
