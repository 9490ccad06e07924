use std::fmt::{Debug, Display};
use std::str::FromStr;

use domain::{
    Decision, ErrorClass, Lane, MessageState, ReportedStatus, ThrottleScope, UnconfirmedPolicy,
    WorkKind,
};
use rstest::rstest;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// These strings are stored and sent: a change here is a migration.
fn assert_names<T>(values: &[T], names: &[&str])
where
    T: FromStr<Err: Debug> + Display + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let shown: Vec<String> = values.iter().map(ToString::to_string).collect();
    assert_eq!(shown, names);
    for (value, name) in values.iter().zip(names) {
        assert_eq!(&name.parse::<T>().unwrap(), value);
        let json = serde_json::to_value(value).unwrap();
        assert_eq!(json, *name);
        assert_eq!(&serde_json::from_value::<T>(json).unwrap(), value);
    }
}

#[test]
fn every_name_is_stable_and_reads_back() {
    assert_names(WorkKind::ALL, &["send", "event", "callback"]);
    assert_names(Lane::ALL, &["reply", "report", "bulk"]);
    assert_names(UnconfirmedPolicy::ALL, &["park", "resend"]);
    assert_names(
        Decision::ALL,
        &["sent", "not_sent", "replayed", "discarded"],
    );
    assert_names(
        ReportedStatus::ALL,
        &["sent", "delivered", "read", "failed"],
    );
    assert_names(
        MessageState::ALL,
        &[
            "queued",
            "unconfirmed",
            "sent",
            "delivered",
            "read",
            "failed",
            "expired",
            "cancelled",
        ],
    );
    assert_names(
        ThrottleScope::ALL,
        &["app", "waba", "phone", "pair", "portfolio"],
    );
    assert_names(
        ErrorClass::ALL,
        &[
            "retry",
            "throttle_app",
            "throttle_waba",
            "throttle_phone",
            "throttle_pair",
            "throttle_portfolio",
            "credential",
            "account",
            "permanent",
            "template",
            "unreachable",
            "policy",
        ],
    );
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = "SEND".parse::<WorkKind>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown kind of work, expected one of: send, event, callback"
    );
}

#[test]
fn a_reply_goes_before_a_report_before_a_campaign() {
    assert!(Lane::Reply < Lane::Report && Lane::Report < Lane::Bulk);
}

#[rstest]
#[case(Lane::Reply, 0)]
#[case(Lane::Report, 1)]
#[case(Lane::Bulk, 2)]
fn lanes_are_stored_as_small_numbers(#[case] lane: Lane, #[case] number: i16) {
    assert_eq!(lane.as_i16(), number);
    assert_eq!(Lane::try_from(number), Ok(lane));
}

#[test]
fn a_number_that_is_no_lane_is_refused() {
    assert!(Lane::try_from(3).is_err());
    assert!(Lane::try_from(-1).is_err());
}
