use chrono::{Days, SubsecRound as _, TimeDelta};
use domain::{Clock as _, ErrorClass, FailureCause, MessageId, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{App, Lab, body_of, problem, report, report_with, text};

async fn history(app: &App, lab: &Lab, query: &str) -> Value {
    let path = format!("/api/messages/{}/history{query}", lab.id);
    let answer = app.get(&lab.key, &path).send().await.unwrap();
    body_of(answer, StatusCode::OK).await
}

fn ids(history: &Value) -> Vec<String> {
    let messages = history["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| text(message, "message_id"))
        .collect()
}

async fn three(app: &App, lab: &Lab) -> Vec<MessageId> {
    let mut sent = Vec::new();
    for test in ["One", "Two", "Three"] {
        sent.push(
            app.accepted(lab, &report_with(json!({ "test_name": test })))
                .await,
        );
    }
    sent.reverse();
    sent
}

#[tokio::test]
async fn history_tells_of_each_message_the_newest_first() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let id = app.accepted(&lab, &report()).await;
    let bare = app
        .accepted(&lab, &report_with(json!({ "report_file": null })))
        .await;
    let at = SystemClock.now().trunc_subsecs(3);
    app.update(id, |row| {
        row.delivery.sent_at = Some(at);
        row.delivery.failed_at = Some(at);
        row.delivery.failure = Some(FailureCause {
            code: Some(131_026),
            class: ErrorClass::Unreachable,
            detail: "the patient is not on WhatsApp".to_owned(),
        });
    })
    .await;

    let history = history(&app, &lab, "").await;
    assert_eq!(ids(&history), [bare.to_string(), id.to_string()]);
    assert_eq!(history["total_count"], 2);
    let page = json!({ "page": 1, "limit": 50, "total_pages": 1, "has_more": false });
    assert_eq!(history["pagination"], page);
    let mut entry = history["messages"][1].clone();
    assert_eq!(entry["sent_at"], json!(at));
    for changing in ["message_id", "created_at", "sent_at"] {
        entry[changing] = json!("..");
    }
    insta::assert_json_snapshot!("history_entry", entry);
    assert_eq!(history["messages"][0]["has_attachment"], false);
    assert!(history["messages"][0].get("error").is_none());
}

#[tokio::test]
async fn history_comes_in_pages() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let sent: Vec<String> = three(&app, &lab)
        .await
        .iter()
        .map(ToString::to_string)
        .collect();
    let first = history(&app, &lab, "?limit=2").await;
    assert_eq!(ids(&first), sent[..2]);
    let page = json!({ "page": 1, "limit": 2, "total_pages": 2, "has_more": true });
    assert_eq!(first["pagination"], page);
    let second = history(&app, &lab, "?limit=2&page=2").await;
    assert_eq!(ids(&second), sent[2..]);
    assert_eq!(second["pagination"]["has_more"], false);
    let beyond = history(&app, &lab, "?limit=2&page=3").await;
    assert_eq!(ids(&beyond), Vec::<String>::new());
    assert_eq!(beyond["total_count"], 3);
}

#[tokio::test]
async fn history_can_be_narrowed_by_status_and_date() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let sent = three(&app, &lab).await;
    let now = SystemClock.now();
    app.update(sent[1], |row| row.delivery.delivered_at = Some(now))
        .await;
    let delivered = history(&app, &lab, "?status=delivered").await;
    assert_eq!(ids(&delivered), [sent[1].to_string()]);
    assert_eq!(delivered["total_count"], 1);

    let today = now.date_naive();
    let day = |days| today.checked_sub_days(Days::new(days)).unwrap();
    let tomorrow = today.succ_opt().unwrap();
    let in_a_moment = (now + TimeDelta::seconds(5)).format("%Y-%m-%dT%H:%M:%SZ");
    for (query, expected) in [
        (format!("?date_from={}", day(1)), 3),
        (format!("?date_from={tomorrow}"), 0),
        (format!("?date_to={tomorrow}"), 3),
        (format!("?date_to={}", day(2)), 0),
        (format!("?date_from={}&date_to={tomorrow}", day(1)), 3),
        (format!("?date_to={in_a_moment}"), 3),
        (format!("?date_from={in_a_moment}"), 0),
    ] {
        let found = history(&app, &lab, &query).await;
        assert_eq!(found["total_count"], expected, "{query}");
        assert_eq!(ids(&found).len(), expected, "{query}");
    }
}

#[tokio::test]
async fn a_parameter_that_cannot_be_taken_is_named() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let mut told = Vec::new();
    for query in [
        "page=0",
        "page=x",
        "page=-1",
        "limit=0",
        "limit=201",
        "status=happy",
        "date_from=yesterday",
        "date_to=2026-13-01",
        "date_from=1960-01-01",
    ] {
        let path = format!("/api/messages/{}/history?{query}", lab.id);
        let answer = app.get(&lab.key, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        let problem = problem(answer).await;
        let name = query.split('=').next().unwrap();
        assert!(
            text(&problem, "detail").starts_with(&format!("{name}: ")),
            "{problem}"
        );
        told.push(problem);
    }
    insta::assert_json_snapshot!("history_parameters", told);
}
