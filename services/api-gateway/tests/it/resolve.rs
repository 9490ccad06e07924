use std::time::Duration;

use domain::{Clock as _, MessageId, MessageState, SystemClock};
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{App, Lab, body_of, problem, report, text};

const MINUTE: Duration = Duration::from_mins(1);

/// A message in doubt, whose send is as this says.
async fn in_doubt(app: &App, lab: &Lab, send: &str) -> MessageId {
    let id = app.accepted(lab, &report()).await;
    let since = SystemClock.now() - MINUTE;
    app.update(id, |row| {
        row.attempts = 1;
        row.delivery.base = MessageState::Unconfirmed;
        row.unconfirmed_at = Some(since);
    })
    .await;
    let update = format!("update work set {send} where subject = '{}'", id.as_uuid());
    app.database.execute(&update).await;
    id
}

async fn parked(app: &App, lab: &Lab) -> MessageId {
    in_doubt(app, lab, "state = 'held', hold_scope = 'message:it'").await
}

async fn resolve(app: &App, lab: &Lab, id: MessageId, body: Value) -> Response {
    let path = format!("/api/messages/{id}/resolve");
    app.post(&lab.key, &path).json(&body).send().await.unwrap()
}

async fn sends(app: &App, id: MessageId) -> Vec<Value> {
    let query = format!(
        "select state from work where kind = 'send' and subject = '{}'",
        id.as_uuid()
    );
    app.database.rows(&query).await
}

#[tokio::test]
async fn a_message_is_resolved_as_sent() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let id = parked(&app, &lab).await;
    let body = json!({ "as": "sent", "wamid": "wamid.HBgM", "note": "Asha Rao has it, she says" });
    let mut status = body_of(resolve(&app, &lab, id, body).await, StatusCode::OK).await;
    assert_eq!(sends(&app, id).await.len(), 0);

    let path = format!("/api/messages/{id}/status");
    let asked = app.get(&lab.key, &path).send().await.unwrap();
    assert_eq!(body_of(asked, StatusCode::OK).await, status);
    for changing in ["message_id", "created_at", "sent_at"] {
        status[changing] = json!("..");
    }
    let by = text(&status["timeline"][1]["detail"], "by");
    assert!(by.starts_with("key_"), "{by}");
    status["timeline"][1]["detail"]["by"] = json!("..");
    status["timeline"][1]["at"] = json!("..");
    status["timeline"][0] = json!("..");
    insta::assert_json_snapshot!("resolved_as_sent", status);
    let stored = app.database.rows("select * from message_state").await;
    assert_eq!(stored[0]["wamid"], "wamid.HBgM");
    // A note could name a patient.
    for table in ["decisions", "timeline"] {
        let rows = app.database.rows(&format!("select * from {table}")).await;
        assert!(!format!("{rows:?}").contains("Asha"), "{rows:?}");
    }
}

#[tokio::test]
async fn a_message_is_resolved_as_not_sent() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let id = parked(&app, &lab).await;
    let answer = resolve(&app, &lab, id, json!({ "as": "not_sent" })).await;
    let status = body_of(answer, StatusCode::OK).await;
    assert_eq!(status["status"], "queued");
    assert_eq!(
        status["waiting"],
        json!({ "reason": "it waits for its turn at the number's rate", "until": null })
    );
    assert_eq!(sends(&app, id).await, [json!({ "state": "waiting" })]);
}

#[tokio::test]
async fn what_cannot_be_resolved_says_why() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let queued = app.accepted(&lab, &report()).await;
    let claimed = "state = 'claimed', lease_until = now() + interval '1 minute'";
    let in_hand = in_doubt(&app, &lab, claimed).await;
    let decided = parked(&app, &lab).await;
    let wamid = json!({ "as": "sent", "wamid": "wamid.HBgM" });
    let first = resolve(&app, &lab, decided, wamid.clone()).await;
    assert_eq!(first.status(), StatusCode::OK);

    let hurried = resolve(&app, &lab, in_hand, json!({ "as": "sent" })).await;
    assert_eq!(hurried.headers()[header::RETRY_AFTER], "2");
    let not_sent = json!({ "as": "not_sent" });
    let mut told = vec![
        problem(hurried).await,
        problem(resolve(&app, &lab, queued, not_sent.clone()).await).await,
        problem(resolve(&app, &lab, decided, not_sent).await).await,
    ];
    let doubtful = parked(&app, &lab).await;
    for body in [
        wamid,
        json!({ "as": "lost" }),
        json!({}),
        json!({ "as": "sent", "wamid": "4711 Asha" }),
        json!({ "as": "not_sent", "wamid": "wamid.HBgM" }),
    ] {
        told.push(problem(resolve(&app, &lab, doubtful, body).await).await);
    }
    insta::assert_json_snapshot!("resolve_problems", told);
    assert_eq!(app.count("decisions").await, 1);
}

#[tokio::test]
async fn another_labs_message_cannot_be_resolved() {
    let app = App::start().await;
    let (mine, theirs) = (app.lab("1001").await, app.lab("1002").await);
    let id = parked(&app, &theirs).await;
    for id in [id, MessageId::new_at(SystemClock.now())] {
        let answer = resolve(&app, &mine, id, json!({ "as": "sent" })).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(sends(&app, id).await, [json!({ "state": "held" })]);
    let with_vendors = app.post(&app.vendor_key, &format!("/api/messages/{id}/resolve"));
    let answer = with_vendors.json(&json!({ "as": "sent" })).send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_history_shows_what_is_in_doubt_and_what_of_it_waits_for_a_decision() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    app.accepted(&lab, &report()).await;
    let waiting = in_doubt(&app, &lab, "due_at = now() + interval '9 minutes'").await;
    let parked = parked(&app, &lab).await;
    let path = format!("/api/messages/{}/history?status=unconfirmed", lab.id);
    let history = app.get(&lab.key, &path).send().await.unwrap();
    let history = body_of(history, StatusCode::OK).await;
    let messages = history["messages"].as_array().unwrap();
    let found: Vec<(String, bool)> = messages
        .iter()
        .map(|message| {
            assert!(message["unconfirmed"]["since"].is_string(), "{message}");
            let parked = message["unconfirmed"]["parked"].as_bool();
            (text(message, "message_id"), parked.unwrap())
        })
        .collect();
    assert_eq!(
        found,
        [(parked.to_string(), true), (waiting.to_string(), false)]
    );
}
