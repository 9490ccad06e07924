use auditor::{Decision, Expectation, Kind, State, StatusName};

use crate::scene::{PARKS, RESENDS, Scene};

#[test]
fn a_state_that_the_statuses_do_not_give_is_wrong() {
    use StatusName::{Delivered, Failed, Sent};
    let cases: [(&[StatusName], State); 6] = [
        (&[Sent], State::Delivered),
        (&[Delivered], State::Read),
        (&[Failed], State::Delivered),
        (&[Failed, Delivered], State::Failed),
        (&[Sent], State::Expired),
        (&[Sent], State::Cancelled),
    ];
    for (statuses, state) in cases {
        let mut scene = Scene::new();
        let message = scene.accept(PARKS);
        scene.send(message);
        for status in statuses {
            scene.status(message, *status);
        }
        scene.enter(message, state);
        scene.row(message).failure_class = Some("unreachable".to_owned());
        scene.row(message).failure_detail = Some("The phone does not answer.".to_owned());
        scene.assert_breaches(&[(Kind::WrongState, message)]);
    }
}

#[test]
fn statuses_of_every_send_count() {
    let mut scene = Scene::new();
    let message = scene.accept(RESENDS);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.happens(message, StatusName::Delivered, true);
    scene.note(message, "status", None, Some("delivered"));
    scene.send(message);
    scene.row(message).resends = 1;
    scene.status(message, StatusName::Failed);
    scene.assert_breaches(&[(Kind::WrongState, message)]);
}

#[test]
fn a_message_that_was_taken_and_of_which_no_failure_was_told_has_not_failed() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.send(message);
    scene.refuse(message);
    scene.assert_breaches(&[(Kind::WrongState, message)]);
}

#[test]
fn a_failure_without_class_or_detail_is_wrong() {
    let spoil: [fn(&mut auditor::MessageRow); 3] = [
        |row| row.failure_class = None,
        |row| row.failure_detail = None,
        |row| row.failure_detail = Some(String::new()),
    ];
    for spoil in spoil {
        let mut scene = Scene::new();
        let message = scene.accept(PARKS);
        scene.refuse(message);
        spoil(scene.row(message));
        scene.assert_breaches(&[(Kind::WrongState, message)]);
    }
}

#[test]
fn a_state_that_the_lims_did_not_expect_is_wrong() {
    let mut scene = Scene::new();
    let failed = scene.accept(PARKS);
    scene.posted(failed).expect = Expectation::Delivered;
    scene.refuse(failed);
    let read = scene.read(PARKS);
    scene.posted(read).expect = Expectation::Failed;
    let expired = scene.accept(PARKS);
    scene.posted(expired).expect = Expectation::Delivered;
    scene.enter(expired, State::Expired);
    let sent = scene.accept(PARKS);
    scene.posted(sent).expect = Expectation::Delivered;
    scene.send(sent);
    scene.assert_breaches(&[
        (Kind::WrongState, failed),
        (Kind::WrongState, read),
        (Kind::WrongState, expired),
        (Kind::WrongState, sent),
    ]);
}

#[test]
fn an_operators_word_does_not_hide_what_the_provider_told() {
    let mut scene = Scene::new();
    let message = scene.accept(PARKS);
    scene.provider_accepts(message);
    scene.doubt(message);
    scene.decide(message, Decision::Sent);
    scene.status(message, StatusName::Delivered);
    scene.row(message).state = State::Failed;
    scene.row(message).failure_class = Some("permanent".to_owned());
    scene.row(message).failure_detail = Some("It went wrong.".to_owned());
    scene.enter(message, State::Failed);
    scene.assert_breaches(&[(Kind::WrongState, message)]);
}
