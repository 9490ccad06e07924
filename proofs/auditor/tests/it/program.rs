//! The program itself: what it prints, writes and exits with.

use std::{
    path::Path,
    process::{Command, Output},
};

use auditor::State;
use serde_json::Value;
use testkit::database;

use crate::{
    recording,
    scene::{PARKS, RESENDS, Scene},
};

fn auditor(folder: &Path, url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_auditor"))
        .args(["--database", url, "--run"])
        .arg(folder)
        .arg("--report")
        .arg(folder.join("report.json"))
        .output()
        .unwrap()
}

/// What it exits with, prints, and writes.
async fn judge(scene: &Scene) -> (Option<i32>, String, Value) {
    let folder = tempfile::tempdir().unwrap();
    recording::write(&scene.ledgers, folder.path());
    let database = database().await;
    recording::store(&scene.ledgers, &database).await;
    let output = auditor(folder.path(), &database.owner_url);
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code(),
        printed,
        serde_json::from_str(&report).unwrap(),
    )
}

#[tokio::test]
async fn a_run_that_kept_every_promise_exits_with_0() {
    let mut scene = Scene::new();
    scene.read(PARKS);
    scene.read(RESENDS);
    let (code, printed, report) = judge(&scene).await;
    assert_eq!(
        (code, &report["ok"]),
        (Some(0), &Value::Bool(true)),
        "{printed}"
    );
    assert_eq!(printed, scene.audit().to_string());
}

#[tokio::test]
async fn a_breach_exits_with_1_and_is_reported_all_the_same() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.unsay(message, State::Read);
    let (code, printed, report) = judge(&scene).await;
    assert_eq!(
        (code, &report["ok"]),
        (Some(1), &Value::Bool(false)),
        "{printed}"
    );
    assert_eq!(report["callbacks_missing"], 1);
    assert_eq!(printed, scene.audit().to_string());
}

#[test]
fn an_unreadable_ledger_exits_with_2_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    recording::write(&Scene::new().ledgers, folder.path());
    std::fs::write(folder.path().join("provider.ndjson"), "\n{\n").unwrap();
    let output = auditor(folder.path(), "postgres://127.0.0.1:1/none");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        error,
        "auditor: provider.ndjson, line 2: EOF while parsing an object\n"
    );
    assert!(!folder.path().join("report.json").exists());
}

#[test]
fn a_database_that_cannot_be_read_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    recording::write(&Scene::new().ledgers, folder.path());
    let output = auditor(folder.path(), "postgres://someone:hunter2@127.0.0.1:1/none");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("auditor: the database cannot be read: "),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn bad_usage_exits_with_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_auditor"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
