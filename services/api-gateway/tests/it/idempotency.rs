use futures::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use testkit::eventually;

use crate::support::{App, LIMIT, Lab, PNG, base64, body_of, problem, report, report_with};

async fn send(app: &App, lab: &Lab, key: &str, body: &Value) -> Response {
    let request = app.report(lab, body).header("idempotency-key", key);
    request.send().await.unwrap()
}

async fn until_files(app: &App, expected: usize) {
    eventually(LIMIT, async || match app.files() {
        files if files == expected => Ok(()),
        files => Err(files),
    })
    .await;
}

#[tokio::test]
async fn the_same_request_again_has_the_same_answer_and_no_second_message() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let first = send(&app, &lab, "k-1", &report()).await;
    let location = first.headers()["location"].clone();
    let first = body_of(first, StatusCode::ACCEPTED).await;

    let again = send(&app, &lab, "k-1", &report()).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.headers()["location"], location);
    assert_eq!(body_of(again, StatusCode::ACCEPTED).await, first);
    assert_eq!(app.count("messages").await, 1);
    assert_eq!(app.count("work").await, 1);
    until_files(&app, 1).await;
}

#[tokio::test]
async fn the_order_of_the_fields_is_not_part_of_a_request() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let (name, phone) = (
        r#""patient_name":"Asha""#,
        r#""patient_phone":"+919876543210""#,
    );
    let bodies = [
        format!(r#"{{{name},{phone},"test_name":"CBC","message":"hello"}}"#),
        format!(r#"{{ {phone} ,"message":"hello", "test_name":"CBC", {name}, "unknown": 1 }}"#),
    ];
    let mut answers = Vec::new();
    for body in bodies {
        let request = app.post(&lab.key, "/api/messages/send-report");
        let request = request.header("content-type", "application/json");
        let request = request.header("idempotency-key", "k-1").body(body);
        answers.push(body_of(request.send().await.unwrap(), StatusCode::ACCEPTED).await);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_key_stands_for_one_request_only() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let first = send(&app, &lab, "k-1", &report()).await;
    assert_eq!(first.status(), StatusCode::ACCEPTED);

    let others = [
        json!({ "patient_phone": "+919876543211" }),
        json!({ "patient_name": "Asha R." }),
        json!({ "message": "other words" }),
        json!({ "report_file": base64(PNG) }),
        json!({ "report_file": null }),
        json!({ "report_filename": "other.pdf" }),
    ];
    for changes in others {
        let answer = send(&app, &lab, "k-1", &report_with(changes)).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        insta::assert_json_snapshot!("idempotency_key_reused", problem(answer).await);
    }
    assert_eq!(app.count("messages").await, 1);
    until_files(&app, 1).await;
}

#[tokio::test]
async fn two_labs_may_use_the_same_key() {
    let app = App::start().await;
    let (one, other) = (app.lab("1001").await, app.lab("1002").await);
    let first = body_of(
        send(&app, &one, "k-1", &report()).await,
        StatusCode::ACCEPTED,
    )
    .await;
    let second = body_of(
        send(&app, &other, "k-1", &report()).await,
        StatusCode::ACCEPTED,
    )
    .await;
    assert_ne!(first["message_id"], second["message_id"]);
    assert_eq!(app.count("messages").await, 2);
}

#[tokio::test]
async fn of_many_equal_requests_at_once_one_becomes_a_message() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let body = report();
    let answers = join_all((0..24).map(|_| send(&app, &lab, "k-1", &body))).await;
    let replayed = answers
        .iter()
        .filter(|answer| answer.headers().contains_key("idempotency-replayed"));
    assert_eq!(replayed.count(), 23);
    let mut told = Vec::new();
    for answer in answers {
        told.push(body_of(answer, StatusCode::ACCEPTED).await);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(app.count("messages").await, 1);
    until_files(&app, 1).await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let answer = send(&app, &lab, "two words", &report()).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(problem(answer).await["code"], "INVALID_IDEMPOTENCY_KEY");
    assert_eq!(app.count("messages").await, 0);
}
