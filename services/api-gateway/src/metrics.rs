//! Names and labels of the gateway's metrics, once.

use metrics::{counter, describe_counter};

const REPORTS: &str = "labwire_reports_total";
const FILES_IN_DOUBT: &str = "labwire_report_files_in_doubt_total";

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_counter!(
        REPORTS,
        "reports that were valid, by what became of them: accepted, replayed, key_reused, not_stored or in_doubt"
    );
    describe_counter!(
        FILES_IN_DOUBT,
        "report files kept although it is unknown whether their message was stored"
    );
}

pub(crate) fn report(result: &'static str) {
    counter!(REPORTS, "result" => result).increment(1);
}

pub(crate) fn file_in_doubt() {
    counter!(FILES_IN_DOUBT).increment(1);
}
