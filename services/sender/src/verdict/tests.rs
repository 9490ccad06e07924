use std::time::Duration;

use chrono::DateTime;
use domain::{
    ErrorClass, FlowId, Lane, Losses, SenderNumberId, TemplateId, TenantId, ThrottleScope, WorkId,
    WorkKind,
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
        losses: Losses::default(),
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
    refused(claim, &classified(class, hold), 0)
}

fn refused(claim: &Claim, classified: &Classified, alike: u32) -> Finding {
    let at = DateTime::UNIX_EPOCH;
    let number = SenderNumber {
        id: SenderNumberId::new_at(at),
        tenant_id: TenantId::new_at(at),
        phone_number_id: "1".to_owned(),
        waba_id: "2".to_owned(),
        display_phone_number: "+91 80 4718 2201".to_owned(),
        rate_per_second: 80.0,
        burst: 80,
        app_key: None,
    };
    let tried = Tried {
        claim,
        number: &number,
        pair: Scope::pair(claim.flow, b"someone"),
        token: None,
        template: Some(TemplateId::new_at(at)),
        pauses: PAUSES,
    };
    rejected(&tried, classified, (7, alike))
}

const PAUSES: Pauses = Pauses {
    echo: Duration::from_secs(15),
    credential: Duration::from_secs(30),
    account: Duration::from_mins(5),
    template: Duration::from_mins(10),
    longest: Duration::from_hours(72),
};

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
    let hold = Duration::from_secs(77);
    let classes = [
        ErrorClass::Retry,
        ErrorClass::Account,
        ErrorClass::Throttle(ThrottleScope::Phone),
        ErrorClass::Throttle(ThrottleScope::Pair),
        ErrorClass::Throttle(ThrottleScope::Portfolio),
    ];
    for class in classes {
        match found(class, Some(hold), &claim(1, 0)) {
            Finding::Later { after, .. } => assert_eq!(after, hold, "{class}"),
            Finding::Paused { pause, .. } => {
                assert_eq!(pause, Backoff::constant(hold), "{class}");
            }
            other => panic!("{class}: {other:?}"),
        }
    }
}

#[test]
fn each_throttle_cools_the_bucket_that_it_names() {
    let kind = |scope| match found(ErrorClass::Throttle(scope), None, &claim(1, 0)) {
        Finding::Paused { scope, .. } => scope.kind().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(ThrottleScope::Pair), "pair");
    assert_eq!(kind(ThrottleScope::Phone), "number");
    assert_eq!(kind(ThrottleScope::Waba), "account");
    // An app that is not ours to know has no bucket of its own.
    assert_eq!(kind(ThrottleScope::App), "number");
}

#[test]
fn no_pause_is_longer_than_the_longest() {
    let short = Pauses {
        longest: Duration::from_secs(3),
        ..PAUSES
    };
    let portfolio = short.bounded(PORTFOLIO_PAUSE);
    assert_eq!(
        (portfolio.first, portfolio.longest),
        (short.longest, short.longest)
    );
}

#[test]
fn what_may_be_the_messages_own_fault_is_tried_a_few_times_far_apart() {
    let mut worth_four = classified(ErrorClass::Retry, None);
    worth_four.max_attempts = Some(4);
    // Other troubles, however many there were, do not count.
    let claim = claim(50, 0);
    let after = |alike| match refused(&claim, &worth_four, alike) {
        Finding::Later { after, .. } => Some(after.as_secs()),
        Finding::Failed { .. } => None,
        other => panic!("{other:?}"),
    };
    let waits = [0, 1, 2, 3].map(after);
    assert_eq!(waits, [Some(15), Some(60), Some(240), None]);
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
    let lost_by = |losses| {
        lost(&Claim {
            losses,
            ..claim(9, 0)
        })
    };
    assert!(matches!(
        lost_by(Losses::of(19)),
        Finding::Later { failed: false, .. }
    ));
    assert!(matches!(lost_by(Losses::of(20)), Finding::Poisonous { .. }));
}

#[test]
fn a_template_is_waited_for_only_if_it_can_come_back() {
    let hold = Some(Duration::from_hours(3));
    let waits = found(ErrorClass::Template, hold, &claim(1, 0));
    assert!(matches!(waits, Finding::TemplateHeld { .. }));
    let wrong = found(ErrorClass::Template, None, &claim(1, 0));
    assert!(matches!(wrong, Finding::Failed { .. }));
}
