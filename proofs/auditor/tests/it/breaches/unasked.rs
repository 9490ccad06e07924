use auditor::{Answer, Kind, MessageId};
use uuid::Uuid;

use crate::scene::{PARKS, Scene};

#[test]
fn a_message_that_no_lims_asked_for_is_unasked() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.ledgers.lims.clear();
    scene.assert_breaches(&[(Kind::Unasked, message)]);
}

#[test]
fn a_second_message_for_a_post_that_was_given_up_is_unasked() {
    let mut scene = Scene::new();
    let first = scene.accept_unheard(PARKS);
    scene.send(first);
    let second = scene.accept_unheard(PARKS);
    scene.send(second);
    scene.ledgers.lims.pop();
    assert_eq!(scene.ledgers.lims[0].answer, Answer::GaveUp);
    scene.assert_breaches(&[(Kind::Unasked, second)]);
}

#[test]
fn a_send_of_a_message_that_nobody_knows_is_unasked() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let mut send = scene.sends(message)[0].clone();
    let stranger = MessageId(Uuid::now_v7());
    send.opaque = Some(stranger.to_string());
    scene.ledgers.provider.push(send);
    scene.assert_breaches(&[(Kind::Unasked, stranger)]);
}

#[test]
fn a_send_that_carries_no_id_of_ours_is_unasked() {
    for (opaque, id) in [(None, "no id"), (Some("order-1"), "order-1")] {
        let mut scene = Scene::new();
        let message = scene.read(PARKS);
        let mut send = scene.sends(message)[0].clone();
        send.opaque = opaque.map(str::to_owned);
        scene.ledgers.provider.push(send);
        scene.assert_breaches(&[(Kind::Unasked, id)]);
    }
}
