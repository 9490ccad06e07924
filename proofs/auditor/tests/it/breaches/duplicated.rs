use auditor::{Answer, Decision, Kind, MessageId, StatusName};

use crate::scene::{PARKS, RESENDS, Scene};

/// Accepted twice, and the database counts two attempts.
fn sent_twice(scene: &mut Scene, lab: auditor::LabId) -> MessageId {
    let message = scene.accept(lab);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.send(message);
    message
}

#[test]
fn a_second_send_that_is_not_counted_is_a_duplicate_whatever_the_policy() {
    for lab in [PARKS, RESENDS] {
        let mut scene = Scene::new();
        let message = sent_twice(&mut scene, lab);
        scene.assert_breaches(&[(Kind::Duplicated, message)]);
    }
}

#[test]
fn a_counted_resend_is_a_duplicate_where_the_policy_is_to_park() {
    let mut scene = Scene::new();
    let message = sent_twice(&mut scene, PARKS);
    scene.row(message).resends = 1;
    scene.assert_breaches(&[(Kind::Duplicated, message)]);
}

#[test]
fn a_blind_resend_is_a_breach_even_if_it_was_the_only_one_to_arrive() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.doubt(message);
    scene.send(message);
    scene.row(message).resends = 1;
    scene.assert_breaches(&[(Kind::Duplicated, message)]);
}

#[test]
fn a_third_send_is_a_duplicate_if_one_resend_is_counted() {
    let mut scene = Scene::new();
    let message = sent_twice(&mut scene, RESENDS);
    scene.row(message).resends = 1;
    scene.send(message);
    scene.assert_breaches(&[(Kind::Duplicated, message)]);
}

#[test]
fn a_decision_of_an_operator_allows_one_resend_and_no_more() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.decide(message, Decision::NotSent);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.send(message);
    scene.row(message).resends = 2;
    scene.status(message, StatusName::Delivered);
    scene.assert_breaches(&[(Kind::Duplicated, message)]);
}

#[test]
fn a_key_that_is_acknowledged_as_two_messages_is_a_duplicate() {
    let mut scene = Scene::new();
    let first = scene.read(PARKS);
    let second = scene.read(PARKS);
    let key = scene.posted(first).key.clone();
    scene.posted(second).key = key;
    scene.assert_breaches(&[(Kind::Duplicated, second)]);
}

#[test]
fn a_message_of_a_post_that_was_given_up_must_not_be_sent_twice_either() {
    let mut scene = Scene::new();
    let message = scene.accept_unheard(PARKS);
    scene.send(message);
    scene.provider_accepts(message);
    scene.attempt(message, "accepted");
    assert_eq!(scene.posted(message).answer, Answer::GaveUp);
    scene.assert_breaches(&[(Kind::Duplicated, message)]);
}
