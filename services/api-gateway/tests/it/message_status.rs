use std::time::Duration;

use domain::{Backoff, Clock as _, ErrorClass, FailureCause, MessageState, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};
use storage::work::{NewPause, insert_pauses};

use crate::support::{App, Lab, body_of, report, text};

async fn status(app: &App, lab: &Lab, id: domain::MessageId) -> Value {
    let path = format!("/api/messages/{id}/status");
    let answer = app.get(&lab.key, &path).send().await.unwrap();
    body_of(answer, StatusCode::OK).await
}

#[tokio::test]
async fn a_new_message_is_queued_and_says_what_it_waits_for() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let id = app.accepted(&lab, &report()).await;
    let mut found = status(&app, &lab, id).await;
    assert_eq!(found["message_id"], id.to_string());
    for changing in ["message_id", "created_at"] {
        found[changing] = json!("..");
    }
    found["timeline"][0]["at"] = json!("..");
    found["timeline"][0]["detail"]["traceparent"] = json!("..");
    insta::assert_json_snapshot!("status_queued", found);
}

#[tokio::test]
async fn a_paused_number_is_the_reason_why_its_messages_wait() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let id = app.accepted(&lab, &report()).await;
    let rows = app.database.rows("select id from sender_numbers").await;
    let number = text(&rows[0], "id").parse().unwrap();
    let pause = NewPause {
        scope: domain::Scope::credential(domain::SenderNumberId::from_uuid(number)),
        tenant_id: Some(lab.tenant()),
        reason: "the access token is refused".to_owned(),
        backoff: Backoff::constant(Duration::from_hours(1)),
    };
    let mut connection = app.worker.acquire().await.unwrap();
    insert_pauses(&mut connection, &[pause], SystemClock.now())
        .await
        .unwrap();
    let found = status(&app, &lab, id).await;
    assert_eq!(
        found["waiting"],
        json!({ "reason": "the access token is refused", "until": null })
    );
}

#[tokio::test]
async fn a_failed_message_says_why_and_a_delivered_one_when() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let id = app.accepted(&lab, &report()).await;
    let at = SystemClock.now();
    app.update(id, |row| {
        row.attempts = 2;
        row.delivery.sent_at = Some(at);
        row.delivery.failed_at = Some(at);
        row.delivery.failure = Some(FailureCause {
            code: Some(131_026),
            class: ErrorClass::Unreachable,
            detail: "message undeliverable".to_owned(),
        });
    })
    .await;
    let failed = status(&app, &lab, id).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(
        (&failed["attempts"], &failed["failed_at"]),
        (&json!(2), &json!(at))
    );
    let error = json!({ "code": "MESSAGE_SEND_FAILED", "provider_code": 131_026, "class": "unreachable",
                        "message": "message undeliverable" });
    assert_eq!(failed["error"], error);
    assert!(failed.get("waiting").is_none());

    app.update(id, |row| row.delivery.delivered_at = Some(at))
        .await;
    let delivered = status(&app, &lab, id).await;
    assert_eq!(delivered["status"], MessageState::Delivered.as_str());
    assert_eq!(delivered["delivered_at"], json!(at));
    assert!(delivered.get("error").is_none());
    assert_eq!(delivered["failed_at"], Value::Null);
}

#[tokio::test]
async fn a_message_whose_send_was_given_up_untold_waits_for_a_decision() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let id = app.accepted(&lab, &report()).await;
    app.database.execute("delete from work").await;
    let found = status(&app, &lab, id).await;
    assert_eq!(
        found["waiting"],
        json!({ "reason": "its send was given up; waiting for a decision", "until": null })
    );
}

#[tokio::test]
async fn an_unknown_message_is_not_found() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    for id in [
        "msg_00000000000070008000000000000000",
        "msg_123456",
        lab.id.as_str(),
    ] {
        let path = format!("/api/messages/{id}/status");
        let answer = app.get(&lab.key, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{id}");
    }
}
