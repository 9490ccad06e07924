use chrono::{DateTime, Utc};
use domain::{
    Delivery, ErrorClass, FailureCause, GivenUp, MessageState, ReportedStatus, StatusReport,
};
use proptest::prelude::*;
use rstest::rstest;

use MessageState as State;
use ReportedStatus::{Delivered, Failed, Read, Sent};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_257_000 + second, 0).unwrap()
}

fn report(status: ReportedStatus, second: i64) -> StatusReport {
    StatusReport {
        status,
        at: at(second),
        cause: None,
    }
}

fn failure(code: i64, second: i64) -> StatusReport {
    StatusReport {
        cause: Some(FailureCause {
            code: Some(code),
            class: ErrorClass::Unreachable,
            detail: "no such user".to_owned(),
        }),
        ..report(Failed, second)
    }
}

fn fold<'r>(from: Delivery, reports: impl IntoIterator<Item = &'r StatusReport>) -> Delivery {
    reports.into_iter().fold(from, Delivery::apply)
}

fn with_base(base: State) -> Delivery {
    Delivery {
        base,
        ..Delivery::queued()
    }
}

#[rstest]
#[case::nothing(State::Queued, &[], State::Queued)]
#[case::in_order(State::Queued, &[Sent, Delivered, Read], State::Read)]
#[case::reversed(State::Queued, &[Read, Delivered, Sent], State::Read)]
#[case::sent_again_after_delivered(State::Queued, &[Delivered, Sent], State::Delivered)]
#[case::read_without_delivered(State::Queued, &[Sent, Read], State::Read)]
#[case::failed_after_sent(State::Queued, &[Sent, Failed], State::Failed)]
#[case::sent_after_failed(State::Queued, &[Failed, Sent], State::Failed)]
#[case::delivered_disproves_failed(State::Queued, &[Failed, Delivered], State::Delivered)]
#[case::failed_cannot_undo_delivered(State::Queued, &[Delivered, Failed], State::Delivered)]
#[case::failed_cannot_undo_read(State::Queued, &[Read, Failed], State::Read)]
#[case::webhook_resolves_unconfirmed(State::Unconfirmed, &[Sent], State::Sent)]
#[case::failure_resolves_unconfirmed(State::Unconfirmed, &[Failed], State::Failed)]
#[case::unconfirmed_without_news(State::Unconfirmed, &[], State::Unconfirmed)]
#[case::delivered_disproves_expired(State::Expired, &[Delivered], State::Delivered)]
#[case::read_disproves_cancelled(State::Cancelled, &[Read], State::Read)]
fn the_state_follows_the_evidence(
    #[case] base: State,
    #[case] statuses: &[ReportedStatus],
    #[case] expected: State,
) {
    let reports: Vec<_> = statuses.iter().map(|status| report(*status, 1)).collect();
    assert_eq!(fold(with_base(base), &reports).state(), expected);
}

fn given_up(base: State, second: i64) -> Delivery {
    let cause = FailureCause {
        code: None,
        class: ErrorClass::Permanent,
        detail: "given up".to_owned(),
    };
    Delivery {
        given_up: Some(GivenUp {
            at: at(second),
            cause,
        }),
        ..with_base(base)
    }
}

#[rstest]
#[case::without_news(State::Queued, &[], State::Failed)]
#[case::in_doubt(State::Unconfirmed, &[], State::Failed)]
#[case::it_was_sent_after_all(State::Unconfirmed, &[Sent], State::Sent)]
#[case::it_arrived(State::Queued, &[Delivered], State::Delivered)]
#[case::it_failed_there_too(State::Unconfirmed, &[Sent, Failed], State::Failed)]
fn any_report_disproves_that_we_gave_up(
    #[case] base: State,
    #[case] statuses: &[ReportedStatus],
    #[case] expected: State,
) {
    let reports: Vec<_> = statuses.iter().map(|status| report(*status, 1)).collect();
    assert_eq!(fold(given_up(base, 1), &reports).state(), expected);
}

#[test]
fn what_is_taken_back_leaves_what_was_before_and_every_report() {
    for (base, reports, before) in [
        (State::Queued, vec![], State::Queued),
        (State::Unconfirmed, vec![], State::Unconfirmed),
        (State::Unconfirmed, vec![failure(131_026, 9)], State::Failed),
    ] {
        // We gave up before the provider's failure became known: it must not be swallowed.
        let mut delivery = fold(given_up(base, 1), &reports);
        assert_eq!(delivery.state(), State::Failed);
        delivery.given_up = None;
        assert_eq!(delivery, fold(with_base(base), &reports));
        assert_eq!(delivery.state(), before);
    }
}

#[test]
fn why_it_failed_is_what_the_provider_said_and_else_why_we_gave_up() {
    let ours = given_up(State::Queued, 1);
    let (since, cause) = ours.failed().unwrap();
    assert_eq!((since, &*cause.unwrap().detail), (at(1), "given up"));
    let theirs = ours.apply(&failure(131_026, 9));
    let (since, cause) = theirs.failed().unwrap();
    assert_eq!((since, cause.unwrap().code), (at(9), Some(131_026)));
    assert_eq!(theirs.apply(&report(Delivered, 10)).failed(), None);
    assert_eq!(with_base(State::Expired).failed(), None);
}

#[test]
fn what_is_open_is_queued_or_in_doubt() {
    let open = State::ALL.iter().filter(|state| state.is_open());
    assert!(open.eq(&[State::Queued, State::Unconfirmed]));
}

#[test]
fn only_what_can_still_change_is_not_final() {
    let open: Vec<State> = State::ALL
        .iter()
        .copied()
        .filter(|state| !state.is_final())
        .collect();
    assert_eq!(
        open,
        [
            State::Queued,
            State::Unconfirmed,
            State::Sent,
            State::Delivered
        ]
    );
}

#[test]
fn each_instant_is_the_earliest_reported() {
    let delivery = fold(
        Delivery::queued(),
        &[
            report(Sent, 9),
            report(Sent, 3),
            report(Read, 7),
            report(Sent, 5),
        ],
    );
    assert_eq!(delivery.sent_at, Some(at(3)));
    assert_eq!(delivery.delivered_at, None);
    assert_eq!(delivery.read_at, Some(at(7)));
}

#[test]
fn the_cause_is_that_of_the_earliest_failure() {
    let delivery = fold(
        Delivery::queued(),
        &[
            failure(131_026, 8),
            failure(131_047, 2),
            failure(130_472, 5),
        ],
    );
    assert_eq!(delivery.failed_at, Some(at(2)));
    assert_eq!(delivery.failure.unwrap().code, Some(131_047));
}

#[test]
fn a_failure_that_states_its_cause_wins_over_a_silent_one_of_the_same_instant() {
    let reports = [report(Failed, 2), failure(131_047, 2)];
    for order in [[0, 1], [1, 0]] {
        let delivery = fold(Delivery::queued(), order.map(|index| &reports[index]));
        assert_eq!(delivery.failure, reports[1].cause);
    }
}

#[test]
fn a_cause_on_a_report_that_is_no_failure_is_not_kept() {
    let odd = StatusReport {
        status: Sent,
        ..failure(1, 1)
    };
    assert_eq!(Delivery::queued().apply(&odd).failure, None);
}

#[test]
fn a_delivery_reads_back_from_json() {
    let delivery = fold(Delivery::queued(), &[report(Sent, 1), failure(131_026, 2)]);
    let json = serde_json::to_string(&delivery).unwrap();
    assert_eq!(serde_json::from_str::<Delivery>(&json).unwrap(), delivery);
}

fn any_report() -> impl Strategy<Value = StatusReport> {
    let status = prop::sample::select(ReportedStatus::ALL);
    let class = prop::sample::select(ErrorClass::ALL);
    let cause = prop::option::of((prop::option::of(0..3_i64), class, "[ab]?"));
    // Few seconds and few causes: ties must be common.
    (status, 0..4_i64, cause).prop_map(|(status, second, cause)| StatusReport {
        status,
        at: at(second),
        cause: cause.map(|(code, class, detail)| FailureCause {
            code,
            class,
            detail,
        }),
    })
}

fn any_base() -> impl Strategy<Value = State> {
    prop::sample::select(vec![
        State::Queued,
        State::Unconfirmed,
        State::Expired,
        State::Cancelled,
    ])
}

fn any_delivery() -> impl Strategy<Value = Delivery> {
    let ended = prop::option::of(0..4_i64);
    (any_base(), ended, prop::collection::vec(any_report(), 0..5)).prop_map(
        |(base, ended, reports)| {
            let start = ended.map_or_else(|| with_base(base), |second| given_up(base, second));
            fold(start, &reports)
        },
    )
}

/// The same reports, some of them twice, in another order.
fn retold() -> impl Strategy<Value = (Vec<StatusReport>, Vec<StatusReport>)> {
    prop::collection::vec(any_report(), 0..8).prop_flat_map(|reports| {
        let repeats = prop::sample::subsequence(reports.clone(), 0..=reports.len());
        (Just(reports), repeats).prop_flat_map(|(reports, repeats)| {
            let told = [reports.clone(), repeats].concat();
            (Just(reports), Just(told).prop_shuffle())
        })
    })
}

proptest! {
    #[test]
    fn duplicate_and_reordered_reports_end_the_same(base in any_base(), (reports, told) in retold()) {
        prop_assert_eq!(fold(with_base(base), &reports), fold(with_base(base), &told));
    }

    #[test]
    fn batched_reports_end_the_same(base in any_base(), (reports, told) in retold(), size in 1..4_usize) {
        let batched = told
            .chunks(size)
            .map(|batch| fold(Delivery::queued(), batch))
            .fold(with_base(base), Delivery::merge);
        prop_assert_eq!(batched, fold(with_base(base), &reports));
    }

    #[test]
    fn merge_is_a_semilattice(a in any_delivery(), b in any_delivery(), c in any_delivery()) {
        prop_assert_eq!(a.clone().merge(a.clone()), a.clone());
        prop_assert_eq!(Delivery::queued().merge(a.clone()), a.clone());
        prop_assert_eq!(a.clone().merge(b.clone()), b.clone().merge(a.clone()));
        prop_assert_eq!(a.clone().merge(b.clone()).merge(c.clone()), a.merge(b.merge(c)));
    }

    #[test]
    fn a_proof_of_delivery_is_never_undone(before in any_delivery(), report in any_report()) {
        let proven = |delivery: &Delivery| matches!(delivery.state(), State::Delivered | State::Read);
        let was_proven = proven(&before);
        let after = before.apply(&report);
        let proves = matches!(report.status, Delivered | Read);
        prop_assert_eq!(proven(&after), was_proven || proves);
    }
}
