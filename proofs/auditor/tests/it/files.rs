//! Ledgers that are read, and ledgers that cannot be.

use std::fs;

use auditor::{Answer, Expectation, LedgerError, Ledgers, MessageId, StatusName};
use secrecy::SecretString;
use tempfile::TempDir;

use crate::{
    recording,
    scene::{PARKS, Scene},
};

/// Nothing listens there: the files are read first.
fn nowhere() -> SecretString {
    "postgres://127.0.0.1:1/none".into()
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::new();
    scene.read(PARKS);
    scene.accept_unheard(PARKS);
    recording::write(&scene.ledgers, folder.path());
    folder
}

async fn error_of(folder: &TempDir) -> String {
    let result = Ledgers::read(folder.path(), &nowhere()).await;
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn whole_files_are_read_before_the_database() {
    let result = Ledgers::read(folder().path(), &nowhere()).await;
    assert!(matches!(result, Err(LedgerError::Database(_))));
}

#[tokio::test]
async fn a_ledger_that_is_not_there_is_named() {
    let names = [
        "run.json",
        "lims.ndjson",
        "provider.ndjson",
        "callbacks.ndjson",
        "operator.ndjson",
    ];
    for name in names {
        let folder = folder();
        fs::remove_file(folder.path().join(name)).unwrap();
        let error = error_of(&folder).await;
        assert!(
            error.starts_with(&format!("{name} cannot be read: ")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_line_that_cannot_be_read_is_named() {
    let lab = PARKS.to_string();
    let id = MessageId(uuid::Uuid::nil()).to_string();
    let post = format!(
        r#"{{"key":"a","lab_id":"{lab}","phone":"+91","sha256":"","posted_at":"2026-11-21T10:00:00Z""#
    );
    let neither = "expected `message_id` and `acked_at`, or `gave_up` alone";
    let cases = [
        (
            "lims.ndjson",
            r#"{"key":"#.to_owned(),
            "EOF while parsing a value",
        ),
        ("lims.ndjson", format!("{post}}}"), neither),
        (
            "lims.ndjson",
            format!(r#"{post},"message_id":"{id}"}}"#),
            neither,
        ),
        (
            "lims.ndjson",
            format!(
                r#"{post},"gave_up":true,"message_id":"{id}","acked_at":"2026-11-21T10:00:00Z"}}"#
            ),
            neither,
        ),
        (
            "lims.ndjson",
            format!(r#"{post},"gave_up":true}}"#)
                .replace(&lab, "lab_00000000000070008000000000000009"),
            "run.json does not name lab_00000000000070008000000000000009",
        ),
        (
            "lims.ndjson",
            format!(r#"{post},"gave_up":true}}"#).replace(&lab, "lab_1"),
            "expected `lab_` and 32 lowercase hexadecimal digits",
        ),
        (
            "provider.ndjson",
            "{}".to_owned(),
            "missing field `phone_number_id`",
        ),
        ("callbacks.ndjson", "{}".to_owned(), "missing field `at`"),
        (
            "operator.ndjson",
            r#"{"message_id":"msg_"}"#.to_owned(),
            "expected `msg_` and 32 lowercase hexadecimal digits",
        ),
    ];
    for (name, line, what) in cases {
        let folder = folder();
        let path = folder.path().join(name);
        let before = fs::read_to_string(&path).unwrap();
        let number = before.lines().count() + 2;
        fs::write(&path, format!("{before}\n{line}\n")).unwrap();
        assert_eq!(
            error_of(&folder).await,
            format!("{name}, line {number}: {what}")
        );
    }
}

#[tokio::test]
async fn a_plan_that_contradicts_itself_is_refused() {
    let edits = [
        (
            r#""episodes":1"#,
            r#""episodes":2"#,
            "the fault broker stopped counts 2 episodes, but 1 are listed",
        ),
        (
            r#""name":"broker stopped""#,
            r#""name":"another""#,
            "the fault another counts 1 episodes, but 0 are listed",
        ),
        (
            r#"{"episodes":1,"name":"broker stopped"}"#,
            "",
            "an episode of an unnamed fault, broker stopped",
        ),
        (
            r#""ended_at":"2026-11-21T10:01:00Z""#,
            r#""ended_at":"2026-11-21T09:59:59Z""#,
            "an episode of broker stopped ends before it begins",
        ),
    ];
    for (from, to, what) in edits {
        let folder = folder();
        let path = folder.path().join("run.json");
        let before = fs::read_to_string(&path).unwrap();
        assert!(before.contains(from), "{before}");
        fs::write(&path, before.replace(from, to)).unwrap();
        let error = error_of(&folder).await;
        assert!(
            error.starts_with(&format!("run.json, line 1: {what}")),
            "{error}"
        );
    }
}

#[test]
fn ids_are_read_in_one_form_only() {
    let id: MessageId = "msg_0190a1b2c3d47abc8def0123456789ab".parse().unwrap();
    assert_eq!(id.0.as_u128(), 0x0190_a1b2_c3d4_7abc_8def_0123_4567_89ab);
    assert_eq!(id.to_string(), "msg_0190a1b2c3d47abc8def0123456789ab");
    let wrong = [
        "0190a1b2c3d47abc8def0123456789ab",
        "lab_0190a1b2c3d47abc8def0123456789ab",
        "msg_0190A1B2C3D47ABC8DEF0123456789AB",
        "msg_0190a1b2-c3d4-7abc-8def-0123456789ab",
        "msg_0190a1b2c3d47abc8def0123456789a",
        "msg_0190a1b2c3d47abc8def0123456789abc",
        "msg_0190a1b2c3d47abc8def0123456789ag",
        "msg_",
        "",
    ];
    for text in wrong {
        assert!(text.parse::<MessageId>().is_err(), "{text}");
    }
}

#[test]
fn the_agreed_lines_are_understood() {
    let posted: auditor::Posted = serde_json::from_str(
        r#"{"key":"k","lab_id":"lab_0190a1b2c3d47abc8def0123456789ab","phone":"+919812345678","sha256":"aa",
            "message_id":"msg_0190a1b2c3d47abc8def0123456789ab","posted_at":"2026-11-21T10:00:00Z",
            "acked_at":"2026-11-21T10:00:00.125Z","expect":"delivered","tries":3}"#,
    )
    .unwrap();
    assert_eq!(posted.expect, Expectation::Delivered);
    assert!(matches!(posted.answer, Answer::Acknowledged { .. }));
    let send: auditor::Send = serde_json::from_str(
        r#"{"wamid":"wamid.1","opaque":null,"phone_number_id":"1","to":"919812345678","kind":"document","template":null,
            "media_sha256":"aa","at":"2026-11-21T10:00:00Z","fate":[{"status":"read","code":null,"told":true}]}"#,
    )
    .unwrap();
    assert_eq!((send.opaque, send.fate[0].status), (None, StatusName::Read));
    let bare: auditor::Post =
        serde_json::from_str(r#"{"at":"2026-11-21T10:00:00Z","headers":{},"body":""}"#).unwrap();
    assert_eq!(bare.headers.webhook_signature, "");
}
