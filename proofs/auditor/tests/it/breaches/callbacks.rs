use auditor::{DeliveryId, DeliveryRow, Kind, State};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::scene::{PARKS, RESENDS, Scene, body, post};

fn noon() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

#[test]
fn a_final_state_of_which_the_lims_was_not_told_is_missing() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.unsay(message, State::Read);
    scene.assert_breaches(&[(Kind::CallbacksMissing, message)]);
}

#[test]
fn a_callback_that_counts_as_delivered_and_never_came_is_missing() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.ledgers.callbacks.remove(0);
    scene.assert_breaches(&[(Kind::CallbacksMissing, message)]);
}

#[test]
fn a_callback_that_vanished_is_missing() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.ledgers.database.deliveries.push(DeliveryRow {
        id: DeliveryId(Uuid::now_v7()),
        message_id: Some(message),
        was_delivered: false,
    });
    scene.assert_breaches(&[(Kind::CallbacksMissing, message)]);
}

#[test]
fn a_callback_of_a_state_that_never_was_is_wrong() {
    for state in ["failed", "unconfirmed", "expired", "queued", "lost"] {
        let mut scene = Scene::new();
        let message = scene.read(PARKS);
        let told = post(noon(), "cbd_1", body(PARKS, message, state));
        scene.ledgers.callbacks.push(told);
        scene.assert_breaches(&[(Kind::CallbacksWrong, message)]);
    }
}

#[test]
fn a_callback_whose_type_is_not_its_state_is_wrong() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let text = body(PARKS, message, "read").replace("message.read", "message.sent");
    scene.ledgers.callbacks.push(post(noon(), "cbd_1", text));
    scene.assert_breaches(&[(Kind::CallbacksWrong, message)]);
}

#[test]
fn a_callback_to_another_lab_is_wrong() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let told = post(noon(), "cbd_1", body(RESENDS, message, "read"));
    scene.ledgers.callbacks.push(told);
    scene.assert_breaches(&[(Kind::CallbacksWrong, message)]);
}

#[test]
fn telling_another_lab_tells_the_lab_nothing() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.unsay(message, State::Read);
    let told = post(noon(), "cbd_1", body(RESENDS, message, "read"));
    scene.ledgers.callbacks.push(told);
    scene.assert_breaches(&[
        (Kind::CallbacksMissing, message),
        (Kind::CallbacksWrong, message),
    ]);
}

#[test]
fn a_callback_about_an_unknown_message_is_wrong() {
    let mut scene = Scene::new();
    let unknown = auditor::MessageId(Uuid::now_v7());
    let told = post(noon(), "cbd_1", body(PARKS, unknown, "read"));
    scene.ledgers.callbacks.push(told);
    scene.assert_breaches(&[(Kind::CallbacksWrong, "cbd_1")]);
}

#[test]
fn a_callback_that_says_something_else_the_second_time_is_wrong() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let told = post(noon(), "cbd_1", body(PARKS, message, "read"));
    let changed = post(noon(), "cbd_1", body(PARKS, message, "sent"));
    scene.ledgers.callbacks.extend([told, changed]);
    scene.assert_breaches(&[(Kind::CallbacksWrong, "cbd_1")]);
}

#[test]
fn a_callback_that_cannot_be_verified_is_forged() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let right = || post(noon(), "cbd_1", body(PARKS, message, "read"));
    let stranger = auditor::LabId(Uuid::now_v7());
    let mut unsigned = right();
    unsigned.headers.webhook_signature = String::new();
    let mut changed = right();
    changed.body = changed.body.replace("read", "sent");
    let mut replayed = right();
    replayed.at += TimeDelta::minutes(6);
    let unknown_lab = post(noon(), "cbd_1", body(stranger, message, "read"));
    let no_callback = post(noon(), "cbd_1", "hello".to_owned());
    for forged in [unsigned, changed, replayed, unknown_lab, no_callback] {
        scene.ledgers.callbacks.push(forged);
        scene.assert_breaches(&[(Kind::CallbacksForged, "cbd_1")]);
        scene.ledgers.callbacks.pop();
    }
}

#[test]
fn a_forged_callback_tells_the_lims_nothing() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let mut told = scene.callbacks(message);
    let told = told.last_mut().unwrap();
    told.headers.webhook_signature = "v1,AAAA".to_owned();
    let forged = told.headers.webhook_id.clone();
    scene.assert_breaches(&[
        (Kind::CallbacksMissing, message.to_string()),
        (Kind::CallbacksForged, forged),
    ]);
}
