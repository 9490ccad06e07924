//! What is counted under which fault.

use auditor::{Kind, State, Tally};

use crate::scene::{PARKS, Scene};

#[test]
fn a_report_counts_under_every_fault_during_which_it_was_in_flight() {
    let mut scene = Scene::new();
    scene.fault("database restarted", &[(30, 40), (200, 210)]);
    scene.fault("token expired", &[(1000, 1010)]);
    scene.read(PARKS);
    scene.wait(25);
    scene.read(PARKS);
    scene.wait(300);
    scene.read(PARKS);
    scene.assert_clean();
    let verdict = scene.audit();
    let in_flight = |injected, in_flight| Tally {
        injected,
        in_flight,
        ..Tally::default()
    };
    let expected = [
        ("broker stopped".to_owned(), in_flight(1, 2)),
        ("database restarted".to_owned(), in_flight(2, 1)),
        ("token expired".to_owned(), in_flight(1, 0)),
    ];
    assert_eq!(verdict.faults, expected);
    assert_eq!(verdict.outside_faults, in_flight(0, 1));
}

#[test]
fn a_report_is_in_flight_from_its_first_post_to_its_last_callback() {
    let mut scene = Scene::new();
    scene.fault("before", &[(70, 79)]);
    scene.fault("as it was posted", &[(70, 80)]);
    scene.fault("between", &[(82, 82)]);
    scene.fault("as it ended", &[(87, 99)]);
    scene.fault("after", &[(88, 99)]);
    scene.wait(80);
    scene.read(PARKS);
    let verdict = scene.audit();
    let faults = verdict.faults.iter();
    let hit: Vec<usize> = faults.map(|(_, tally)| tally.in_flight).collect();
    assert_eq!(hit, [0, 0, 1, 1, 1, 0]);
}

#[test]
fn what_is_wrong_with_a_report_counts_under_its_faults() {
    let mut scene = Scene::new();
    scene.fault("later", &[(500, 501)]);
    let lost = scene.accept(PARKS);
    scene.ledgers.database.messages.pop();
    let untold = scene.read(PARKS);
    scene.unsay(untold, State::Read);
    scene.wait(100);
    let doubted = scene.accept(PARKS);
    scene.provider_accepts(doubted);
    scene.doubt(doubted);
    scene.assert_breaches(&[
        (Kind::Lost, lost),
        (Kind::CallbacksMissing, untold),
        (Kind::Unresolved, doubted),
    ]);
    let verdict = scene.audit();
    let during = Tally {
        injected: 1,
        in_flight: 2,
        lost: 1,
        callbacks_missing: 1,
        ..Tally::default()
    };
    let outside = Tally {
        in_flight: 1,
        unresolved: 1,
        ..Tally::default()
    };
    assert_eq!(verdict.faults[0].1, during);
    assert_eq!(verdict.outside_faults, outside);
}

#[test]
fn a_fault_that_never_happened_proves_nothing() {
    let mut scene = Scene::new();
    scene.fault("disk full", &[]);
    scene.read(PARKS);
    scene.assert_breaches(&[(Kind::NeverInjected, "disk full")]);
}
