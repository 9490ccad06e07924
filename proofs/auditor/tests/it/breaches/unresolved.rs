use auditor::{Kind, State, StatusName};
use uuid::Uuid;

use crate::scene::{PARKS, Scene};

#[test]
fn a_message_in_doubt_is_unresolved() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.assert_breaches(&[(Kind::Unresolved, message)]);
}

#[test]
fn a_message_that_was_sent_and_is_still_queued_is_unresolved() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.provider_accepts(message);
    scene.attempt(message, "accepted");
    scene.assert_breaches(&[(Kind::Unresolved, message)]);
}

#[test]
fn a_message_that_stays_behind_what_was_told_is_unresolved() {
    let told_after = [
        (State::Sent, StatusName::Delivered),
        (State::Sent, StatusName::Read),
        (State::Sent, StatusName::Failed),
        (State::Delivered, StatusName::Read),
    ];
    for (state, status) in told_after {
        let mut scene = Scene::new();
        let message = scene.accept(PARKS);
        scene.send(message);
        if state == State::Delivered {
            scene.status(message, StatusName::Delivered);
        }
        scene.happens(message, status, true);
        scene.note(message, "status", None, Some(&status.to_string()));
        scene.assert_breaches(&[(Kind::Unresolved, message)]);
    }
}

#[test]
fn work_that_is_left_for_a_message_is_unresolved() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.leave_work("send", message.0);
    scene.assert_breaches(&[(Kind::Unresolved, message)]);
}

#[test]
fn work_that_is_left_for_a_callback_is_the_messages() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let delivery = scene.ledgers.database.deliveries[0].id;
    scene.leave_work("callback", delivery.0);
    scene.assert_breaches(&[(Kind::Unresolved, message)]);
}

#[test]
fn events_that_are_left_are_unresolved() {
    let mut scene = Scene::new();
    scene.read(PARKS);
    let event = Uuid::now_v7();
    scene.leave_work("event", event);
    scene.assert_breaches(&[(Kind::Unresolved, event)]);
}
