use auditor::{Kind, MessageId};

use crate::scene::{PARKS, Scene};

fn assert_missed(kind: &str) {
    let mut scene = Scene::new();
    let message: MessageId = scene.read(PARKS);
    let timeline = &mut scene.ledgers.database.timeline;
    let place = timeline.iter().position(|entry| entry.kind == kind);
    timeline.remove(place.unwrap());
    scene.assert_breaches(&[(Kind::Unexplained, message)]);
}

#[test]
fn a_timeline_without_the_acceptance_explains_too_little() {
    assert_missed("accepted");
}

#[test]
fn a_timeline_without_an_attempt_explains_too_little() {
    assert_missed("attempt");
}

#[test]
fn a_timeline_without_a_status_explains_too_little() {
    assert_missed("status");
}

#[test]
fn a_timeline_without_a_callback_explains_too_little() {
    assert_missed("callback");
}

#[test]
fn a_send_that_no_attempt_tells_of_is_unexplained() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene
        .ledgers
        .database
        .timeline
        .retain(|entry| entry.kind != "attempt");
    scene.row(message).attempts = 0;
    scene.assert_breaches(&[(Kind::Unexplained, message)]);
}
