//! What looks odd and is right.

use auditor::{DeadLetterRow, Decision, Kind, State, StatusName};
use uuid::Uuid;

use crate::scene::{PARKS, RESENDS, Scene};

#[test]
fn a_report_that_is_read_breaks_no_promise() {
    let mut scene = Scene::new();
    scene.read(PARKS);
    scene.read(RESENDS);
    let verdict = scene.audit();
    scene.assert_clean();
    assert_eq!((verdict.seed, verdict.reports), (42, 2));
}

#[test]
fn a_run_in_which_nothing_was_posted_breaks_no_promise() {
    Scene::new().assert_clean();
}

#[test]
fn a_message_may_rest_at_whatever_the_provider_told_last() {
    let mut scene = Scene::new();
    let silent = scene.accept(PARKS);
    scene.send(silent);
    let delivered = scene.accept(PARKS);
    scene.send(delivered);
    scene.status(delivered, StatusName::Delivered);
    scene.assert_clean();
}

#[test]
fn a_resend_that_is_counted_is_no_duplicate_where_the_policy_is_to_resend() {
    let mut scene = Scene::new();
    let message = scene.accept(RESENDS);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.send(message);
    scene.row(message).resends = 1;
    scene.status(message, StatusName::Delivered);
    scene.assert_clean();
    assert_eq!(scene.audit().counted_resends, 1);
}

#[test]
fn a_resend_may_be_refused_after_the_first_send_was_taken() {
    let mut scene = Scene::new();
    let message = scene.accept(RESENDS);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.refuse(message);
    scene.assert_clean();
}

#[test]
fn a_message_that_an_operator_says_was_not_sent_is_sent_again() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.decide(message, Decision::NotSent);
    scene.send(message);
    scene.row(message).resends = 1;
    scene.status(message, StatusName::Delivered);
    scene.assert_clean();
    let verdict = scene.audit();
    assert_eq!(
        (verdict.counted_resends, verdict.operator_decisions),
        (1, 1)
    );
}

#[test]
fn a_message_that_an_operator_says_was_sent_needs_no_status() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.posted(message).expect = auditor::Expectation::Delivered;
    scene.doubt(message);
    scene.decide(message, Decision::Sent);
    scene.assert_clean();
}

#[test]
fn a_message_that_was_swallowed_and_that_an_operator_says_was_sent_needs_no_status() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.posted(message).expect = auditor::Expectation::Delivered;
    scene.doubt(message);
    scene.provider_accepts(message);
    scene.decide(message, Decision::Sent);
    scene.assert_clean();
}

#[test]
fn a_delivery_disproves_a_failure() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.send(message);
    scene.status(message, StatusName::Failed);
    scene.status(message, StatusName::Delivered);
    scene.assert_clean();
}

#[test]
fn a_failure_after_a_delivery_changes_nothing() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.send(message);
    scene.status(message, StatusName::Delivered);
    scene.status(message, StatusName::Failed);
    scene.assert_clean();
}

#[test]
fn a_message_that_the_provider_refused_has_failed() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.posted(message).expect = auditor::Expectation::Failed;
    scene.refuse(message);
    scene.assert_clean();
}

#[test]
fn a_message_that_expired_before_it_was_sent_is_at_its_end() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.enter(message, State::Expired);
    scene.assert_clean();
}

#[test]
fn one_key_may_be_acknowledged_as_often_as_it_is_posted() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let again = scene.posted(message).clone();
    scene.ledgers.lims.push(again);
    scene.assert_clean();
    assert_eq!(scene.audit().reports, 1);
}

#[test]
fn two_labs_may_use_the_same_key() {
    let mut scene = Scene::new();
    scene.read(PARKS);
    scene.read(RESENDS);
    for posted in &mut scene.ledgers.lims {
        posted.key = "order".to_owned();
    }
    scene.assert_clean();
}

#[test]
fn callbacks_may_come_late_in_any_order_and_again() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.ledgers.callbacks.reverse();
    let again = scene.callbacks(message)[0].clone();
    scene.ledgers.callbacks.push(again);
    scene.assert_clean();
}

#[test]
fn a_status_whose_200_was_lost_may_be_known_all_the_same() {
    let mut scene = Scene::new();
    let known = scene.read(PARKS);
    scene.sends(known)[0].fate.last_mut().unwrap().told = false;
    let unknown = scene.accept(PARKS);
    scene.send(unknown);
    scene.happens(unknown, StatusName::Delivered, false);
    scene.assert_clean();
}

#[test]
fn a_post_that_was_given_up_may_have_made_a_message_or_none() {
    let mut scene = Scene::new();
    let message = scene.accept_unheard(PARKS);
    scene.send(message);
    scene.accept_unheard(PARKS);
    scene.ledgers.database.keys.pop();
    scene.ledgers.database.messages.pop();
    scene.ledgers.database.timeline.pop();
    scene.assert_clean();
    let verdict = scene.audit();
    assert_eq!((verdict.reports, verdict.gave_up), (1, 2));
}

#[test]
fn an_intermediate_callback_may_be_given_up_where_people_can_see_it() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.unsay(message, State::Sent);
    let id = auditor::DeliveryId(Uuid::now_v7());
    let database = &mut scene.ledgers.database;
    database.deliveries.push(auditor::DeliveryRow {
        id,
        message_id: Some(message),
        was_delivered: false,
    });
    database.dead_letters.push(DeadLetterRow {
        kind: "callback".to_owned(),
        subject: id.0,
        reason: "given up after 8 attempts".to_owned(),
    });
    scene.assert_clean();
}

#[test]
fn callbacks_of_what_patients_wrote_are_about_no_message() {
    let mut scene = Scene::new();
    let body = format!(
        r#"{{"type":"message.received","timestamp":"2026-11-21T10:00:00Z","data":{{"lab_id":"{PARKS}","inbound_id":"inb_1"}}}}"#
    );
    let at = "2026-11-21T10:00:00Z".parse().unwrap();
    scene
        .ledgers
        .callbacks
        .push(crate::scene::post(at, "cbd_1", body));
    scene.assert_clean();
}

#[test]
fn a_message_may_be_in_doubt_for_a_while() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.status(message, StatusName::Delivered);
    scene.assert_clean();
    assert_eq!(scene.audit().count(Kind::CallbacksWrong), 0);
}
