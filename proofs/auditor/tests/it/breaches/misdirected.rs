use auditor::Kind;

use crate::scene::{PARKS, RESENDS, Scene};

#[test]
fn a_send_to_another_phone_is_misdirected() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.sends(message)[0].to = "919812345678".to_owned();
    scene.assert_breaches(&[(Kind::Misdirected, message)]);
}

#[test]
fn a_send_from_another_labs_number_is_misdirected() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.sends(message)[0].phone_number_id = "1002".to_owned();
    scene.assert_breaches(&[(Kind::Misdirected, message)]);
}

#[test]
fn a_send_with_another_file_or_none_is_misdirected() {
    for file in [Some("0".repeat(63) + "f"), None] {
        let mut scene = Scene::new();
        let message = scene.read(PARKS);
        scene.sends(message)[0].media_sha256 = file;
        scene.assert_breaches(&[(Kind::Misdirected, message)]);
    }
}

#[test]
fn a_message_that_is_stored_as_another_labs_is_misdirected() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.row(message).lab_id = RESENDS;
    scene.assert_breaches(&[(Kind::Misdirected, message)]);
}

#[test]
fn no_phone_is_named_in_a_verdict() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    let phone = scene
        .posted(message)
        .phone
        .trim_start_matches('+')
        .to_owned();
    scene.sends(message)[0].to = "919812345678".to_owned();
    let verdict = scene.audit();
    let text = format!("{verdict}{}", verdict.to_json());
    assert!(
        !text.contains("919812345678") && !text.contains(&phone),
        "{text}"
    );
}
