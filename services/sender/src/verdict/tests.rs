use std::time::Duration;

use chrono::DateTime;
use domain::{
    ErrorClass, FlowId, Lane, SenderNumberId, TemplateId, ThrottleScope, WorkId, WorkKind,
};
use providers::{Classified, PublicCode};

use super::*;

fn claim(attempt: i32, failures: i32) -> Claim {
    let at = DateTime::UNIX_EPOCH;
    Claim {
        id: WorkId::new_at(at),
        kind: WorkKind::Send,
        flow: FlowId::from_uuid(WorkId::new_at(at).as_uuid()),
        lane: Lane::Report,
        subject: WorkId::new_at(at).as_uuid(),
        tenant_id: None,
        attempt,
        failures,
        begun: false,
        traceparent: None,
        created_at: at,
    }
}

fn classified(class: ErrorClass, hold: Option<Duration>) -> Classified {
    Classified {
        class,
        public_code: PublicCode::SendFailed,
        meaning: "It went wrong.",
        hold,
        max_attempts: None,
        replay_safe: false,
    }
}

fn found(class: ErrorClass, hold: Option<Duration>, claim: &Claim) -> Finding {
    let tried = Tried {
        claim,
        number: SenderNumberId::new_at(DateTime::UNIX_EPOCH),
        token: None,
        template: Some(TemplateId::new_at(DateTime::UNIX_EPOCH)),
    };
    rejected(tried, &classified(class, hold), 7)
}

#[test]
fn jitter_stays_in_its_range_and_depends_on_the_claim_alone() {
    for attempt in 1..100 {
        let claim = claim(attempt, 0);
        let first = jitter(&claim);
        assert!((0.0..=1.0).contains(&first));
        assert!((first - jitter(&claim)).abs() < f64::EPSILON);
    }
}

#[test]
fn what_the_provider_says_about_waiting_comes_first() {
    let hold = Some(Duration::from_secs(77));
    let classes = [
        ErrorClass::Retry,
        ErrorClass::Account,
        ErrorClass::Throttle(ThrottleScope::Phone),
        ErrorClass::Throttle(ThrottleScope::Pair),
        ErrorClass::Throttle(ThrottleScope::Portfolio),
    ];
    for class in classes {
        match found(class, hold, &claim(1, 0)) {
            Finding::Later { after, .. } | Finding::NumberPaused { after, .. } => {
                assert_eq!(Some(after), hold, "{class}");
            }
            other => panic!("{class}: {other:?}"),
        }
    }
}

#[test]
fn a_pair_limit_after_many_other_waits_does_not_cost_hours() {
    let class = ErrorClass::Throttle(ThrottleScope::Pair);
    let waits = [1, 2, 3, 50].map(|attempt| match found(class, None, &claim(attempt, 0)) {
        Finding::Later {
            after,
            failed: false,
            ..
        } => after.as_secs(),
        other => panic!("{other:?}"),
    });
    assert_eq!(waits, [1, 4, 16, 1024]);
}

#[test]
fn tries_are_counted_by_failures_and_not_by_claims() {
    let is_last = |failures, max_attempts| {
        let claim = claim(50, failures);
        let finding = later(&claim, None, max_attempts, (None, "It went wrong."));
        matches!(finding, Finding::Failed { .. })
    };
    assert!(!is_last(0, 3));
    assert!(!is_last(1, 3));
    assert!(is_last(2, 3));
}

#[test]
fn a_trouble_that_is_not_the_messages_is_tried_for_ever_with_the_longest_delay() {
    match again(&claim(100, 99), "It went wrong.") {
        Finding::Later { after, failed, .. } => {
            assert_eq!((after, failed), (LONGEST_DELAY, true));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_that_takes_its_senders_down_is_given_up() {
    assert!(matches!(lost(&claim(4, 3)), Finding::Later { .. }));
    assert!(matches!(lost(&claim(5, 4)), Finding::Failed { .. }));
}

#[test]
fn a_template_is_waited_for_only_if_it_can_come_back() {
    let hold = Some(Duration::from_hours(3));
    let waits = found(ErrorClass::Template, hold, &claim(1, 0));
    assert!(matches!(waits, Finding::TemplateHeld { .. }));
    let wrong = found(ErrorClass::Template, None, &claim(1, 0));
    assert!(matches!(wrong, Finding::Failed { .. }));
}
