use auditor::{Decision, Kind, State, StatusName};

use crate::scene::{PARKS, Scene};

#[test]
fn an_acknowledged_message_that_the_database_does_not_have_is_lost() {
    let mut scene = Scene::new();
    scene.read(PARKS);
    let message = scene.accept(PARKS);
    scene.ledgers.database.messages.pop();
    scene.ledgers.database.timeline.pop();
    scene.assert_breaches(&[(Kind::Lost, message)]);
}

#[test]
fn a_state_without_content_is_lost() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.row(message).has_content = false;
    scene.assert_breaches(&[(Kind::Lost, message)]);
}

#[test]
fn a_message_that_is_said_to_be_sent_and_was_never_accepted_is_lost() {
    for state in [State::Sent, State::Delivered, State::Read] {
        let mut scene = Scene::new();
        let message = scene.accept(PARKS);
        scene.attempt(message, "accepted");
        scene.enter(message, state);
        scene.assert_breaches(&[(Kind::Lost, message)]);
    }
}

#[test]
fn an_operator_who_says_sent_does_not_say_delivered() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.doubt(message);
    scene.decide(message, Decision::Sent);
    scene.enter(message, State::Delivered);
    scene.assert_breaches(&[(Kind::Lost, message)]);
}

#[test]
fn a_message_that_never_went_out_is_lost_and_unresolved() {
    let mut scene = Scene::new();
    let queued = scene.accept(PARKS);
    let unconfirmed = scene.accept(PARKS);
    scene.doubt(unconfirmed);
    scene.assert_breaches(&[
        (Kind::Lost, queued),
        (Kind::Unresolved, queued),
        (Kind::Lost, unconfirmed),
        (Kind::Unresolved, unconfirmed),
    ]);
}

#[test]
fn of_two_requests_that_are_answered_with_one_message_one_is_lost() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let mut other = scene.posted(message).clone();
    other.key = "another".to_owned();
    scene.ledgers.lims.push(other);
    scene.assert_breaches(&[(Kind::Lost, message)]);
}

#[test]
fn the_breach_says_what_each_ledger_says() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.send(message);
    scene.status(message, StatusName::Failed);
    scene.row(message).has_content = false;
    let verdict = scene.audit();
    let says = verdict.breaches[0].says.as_ref().unwrap();
    assert_eq!(
        says.lims,
        format!("key order-0 of {PARKS}, acknowledged 2026-11-21T10:00:00.000Z, expects anything")
    );
    assert_eq!(
        says.provider,
        "accepted 2026-11-21T10:00:01.000Z: failed 131026 told"
    );
    assert_eq!(
        says.database,
        "failed, 1 attempts, 0 resends; failure unreachable: The phone does not answer."
    );
    assert_eq!(says.callbacks, "message.sent, message.failed");
    assert_eq!(says.operator, "nothing");
}
