#![expect(
    clippy::unreadable_literal,
    reason = "codes are names, written as Meta writes them"
)]

use std::time::Duration;

use domain::{
    ErrorClass::{
        self, Account, Credential, Permanent, Policy, Retry, Template, Throttle, Unreachable,
    },
    ThrottleScope::{App, Pair, Phone, Portfolio, Waba},
};
use providers::{
    Classified, PublicCode,
    meta::{GraphError, classify, classify_status_error, webhook::StatusError},
};
use rstest::rstest;

/// Every code that Meta documents for us, and what we want it to mean.
const EXPECTED: &[(ErrorClass, &[i64])] = &[
    (
        Retry,
        &[
            1, 2, 131000, 131016, 131057, 133004, 133015, 134101, 2494100,
        ],
    ),
    (Throttle(App), &[4, 17, 32, 341, 613]),
    (Throttle(Waba), &[80007, 80008]),
    (Throttle(Phone), &[130429, 131208]),
    (Throttle(Pair), &[131056, 132069]),
    (Throttle(Portfolio), &[131048]),
    (
        Credential,
        &[0, 3, 10, 102, 104, 190, 200, 201, 250, 298, 299, 131005],
    ),
    (
        Account,
        &[
            33, 368, 803, 131031, 131037, 131042, 131045, 131064, 133000, 133005, 133006, 133008,
            133009, 133010, 133016, 134011, 136024, 136025,
        ],
    ),
    (Unreachable, &[131026]),
    (
        Policy,
        &[130403, 130472, 130497, 131047, 131049, 131050, 137000],
    ),
    (
        Template,
        &[
            132000, 132001, 132007, 132012, 132015, 132016, 132018, 134102,
        ],
    ),
    (
        Permanent,
        &[
            100, 131008, 131009, 131014, 131020, 131021, 131030, 131041, 131051, 131052, 131053,
            131055, 131059, 131062, 131063, 131201, 131207, 131209, 131215, 132005, 132008, 132068,
            134100, 135000, 138000, 138999, 139000, 139999, 147001, 147005, 200002, 200005, 200007,
            1752041, 2388019, 2388039, 2388040, 2388047, 2388072, 2388073, 2388293, 2388299,
            2494164, 2494179, 2593107, 2593109,
        ],
    ),
];

const UNKNOWN: i64 = 999999;

fn error(code: i64) -> GraphError {
    GraphError {
        code,
        ..GraphError::default()
    }
}

fn saying(code: i64, details: &str) -> GraphError {
    GraphError {
        details: Some(details.to_owned()),
        ..error(code)
    }
}

fn status_error(code: i64, details: Option<&str>) -> StatusError {
    StatusError {
        code,
        title: Some("Title".to_owned()),
        message: None,
        details: details.map(str::to_owned),
    }
}

fn codes() -> impl Iterator<Item = (ErrorClass, i64)> {
    EXPECTED
        .iter()
        .flat_map(|(class, codes)| codes.iter().map(|code| (*class, *code)))
}

#[test]
fn every_documented_code_has_its_class_and_meaning_in_answers_and_webhooks() {
    let unknown = classify(&error(UNKNOWN), 400).meaning;
    for (class, code) in codes() {
        // The status says nothing about a code that is known: not even one that would, if it were not.
        for http_status in [200, 400, 401, 429, 500] {
            let classified = classify(&error(code), http_status);
            assert_eq!(
                classified.class, class,
                "code {code} with status {http_status}"
            );
            assert_ne!(classified.meaning, unknown, "code {code}");
        }
        let classified = classify_status_error(&status_error(code, None));
        assert_eq!(classified, classify(&error(code), 400), "code {code}");
    }
}

#[test]
fn codes_beside_the_ranges_are_unknown() {
    let unknown = classify(&error(UNKNOWN), 400);
    for code in [
        -1, 5, 199, 300, 131200, 131216, 137999, 140000, 147000, 147006, 200004, 200008, 2494163,
        2494180,
    ] {
        assert_eq!(classify(&error(code), 400), unknown, "code {code}");
    }
}

#[test]
fn only_what_is_refused_before_processing_can_be_replayed() {
    let safe: Vec<i64> = codes()
        .map(|(_, code)| code)
        .filter(|code| classify(&error(*code), 500).replay_safe)
        .collect();
    assert_eq!(safe, [4, 80007, 130429, 131056]);
}

#[test]
fn fixed_waits_are_kept() {
    let hold = |code| classify(&error(code), 400).hold;
    let mut waits: Vec<(i64, Duration)> = codes()
        .filter_map(|(_, code)| Some((code, hold(code)?)))
        .collect();
    waits.sort_unstable();
    let (minutes, hours) = (Duration::from_mins, Duration::from_hours);
    let expected = [
        (131049, hours(24)),
        (131057, minutes(1)),
        (132015, hours(3)),
        (132069, minutes(6)),
        (133015, minutes(5)),
        (133016, hours(72)),
        (134101, minutes(10)),
        (2494100, minutes(5)),
    ];
    assert_eq!(waits, expected);
}

#[test]
fn ambiguous_codes_are_worth_few_attempts() {
    let most = |code| classify(&error(code), 400).max_attempts;
    let mut limited: Vec<(i64, u32)> = codes()
        .filter_map(|(_, code)| Some((code, most(code)?)))
        .collect();
    limited.sort_unstable();
    assert_eq!(limited, [(1, 4), (131000, 4), (135000, 2)]);
}

#[rstest]
#[case::wrong_object(100, Some(33), None, Account)]
#[case::another_subcode(100, Some(2018), None, Permanent)]
#[case::expired(190, Some(463), None, Credential)]
#[case::not_registered(100, None, Some("The phone number is not registered."), Account)]
#[case::parameter(100, None, Some("Unexpected key \"bodyy\""), Permanent)]
fn subcodes_and_words_decide_where_the_code_does_not(
    #[case] code: i64,
    #[case] subcode: Option<i64>,
    #[case] message: Option<&str>,
    #[case] expected: ErrorClass,
) {
    let error = GraphError {
        subcode,
        message: message.map(str::to_owned),
        ..error(code)
    };
    assert_eq!(classify(&error, 422).class, expected);
}

#[rstest]
#[case(
    "Downloading media from weblink failed with http code 429, status message Too Many Requests",
    Retry
)]
#[case("Downloading media from weblink failed with HTTP code 503", Retry)]
#[case("Media download Timeout", Retry)]
#[case("The request timed out", Retry)]
#[case("Downloading media from weblink failed with http code 404", Permanent)]
#[case("Unsupported Image mime type image/webp", Permanent)]
fn a_file_that_could_not_be_fetched_is_tried_again_if_that_may_help(
    #[case] details: &str,
    #[case] expected: ErrorClass,
) {
    for code in [131053, 131014] {
        assert_eq!(classify(&saying(code, details), 400).class, expected);
        assert_eq!(
            classify_status_error(&status_error(code, Some(details))).class,
            expected
        );
    }
}

#[test]
fn old_webhooks_say_it_in_the_title() {
    let error = StatusError {
        title: Some("Media upload error: http code 500".to_owned()),
        ..status_error(131053, None)
    };
    assert_eq!(classify_status_error(&error).class, Retry);
}

#[rstest]
#[case(false, 400, Permanent, None)]
#[case(false, 200, Permanent, None)]
#[case(false, 401, Credential, None)]
#[case(false, 429, Throttle(Phone), None)]
#[case(false, 500, Retry, Some(4))]
#[case(false, 503, Retry, Some(4))]
#[case(true, 400, Retry, Some(4))]
fn an_unknown_code_is_judged_by_what_comes_with_it(
    #[case] is_transient: bool,
    #[case] http_status: u16,
    #[case] class: ErrorClass,
    #[case] max_attempts: Option<u32>,
) {
    let error = GraphError {
        is_transient,
        ..error(UNKNOWN)
    };
    let classified = classify(&error, http_status);
    assert_eq!(
        (classified.class, classified.max_attempts),
        (class, max_attempts)
    );
    assert!(!classified.replay_safe);
}

#[rstest]
#[case(error(33), "WHATSAPP_SESSION_NOT_FOUND")]
#[case(error(190), "WHATSAPP_SESSION_EXPIRED")]
#[case(error(131026), "INVALID_PHONE_NUMBER")]
#[case(
    saying(131009, "Recipient phone number not valid"),
    "INVALID_PHONE_NUMBER"
)]
#[case(error(131009), "MESSAGE_SEND_FAILED")]
#[case(saying(131053, "File size exceeds the limit"), "FILE_SIZE_EXCEEDED")]
#[case(error(131053), "MESSAGE_SEND_FAILED")]
#[case(error(130429), "RATE_LIMIT_EXCEEDED")]
#[case(error(131005), "UNAUTHORIZED_ACCESS")]
#[case(error(UNKNOWN), "MESSAGE_SEND_FAILED")]
fn the_lims_learns_one_of_the_public_codes(#[case] error: GraphError, #[case] expected: &str) {
    let Classified { public_code, .. } = classify(&error, 400);
    assert_eq!(public_code.as_str(), expected);
    assert_eq!(PublicCode::to_string(&public_code), expected);
}
