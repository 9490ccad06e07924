//! Reports that cannot be sent, told at once and in words.

use std::time::Duration;

use chrono::Utc;
use domain::{Clock as _, SenderNumberId, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};
use storage::inbound::{Window, open_windows};

use testkit::eventually;

use crate::support::{
    App, LIMIT, Lab, PNG, base64, body_of, merged, problem, registration, report, report_with, text,
};

async fn open_window_until(app: &App, lab: &Lab, expires_at: chrono::DateTime<Utc>) {
    let rows = app.database.rows("select id from sender_numbers").await;
    let number = text(&rows[0], "id").parse().unwrap();
    let window = Window {
        sender_number_id: SenderNumberId::from_uuid(number),
        contact_hash: app.records(lab).await.contact_hash("919876543210"),
        tenant_id: lab.tenant(),
        expires_at,
    };
    let mut connection = app.worker.acquire().await.unwrap();
    open_windows(&mut connection, &[window]).await.unwrap();
}

async fn lab_with_templates(app: &App, templates: Value) -> Lab {
    let body = merged(registration("1001"), json!({ "templates": templates }));
    app.lab_of(&body).await
}

#[tokio::test]
async fn a_phone_number_that_no_mobile_can_have_is_refused() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    for phone in [
        "12",
        "+91 123",
        "Asha Rao",
        "+91 11 2345 6789",
        "+919876543210, +919876543211",
    ] {
        let answer = app
            .refused(&lab, &report_with(json!({ "patient_phone": phone })))
            .await;
        assert_eq!(answer["code"], "INVALID_PHONE_NUMBER", "{phone}");
        assert!(!answer.to_string().contains(phone), "{answer}");
    }
    let answer = app
        .refused(&lab, &report_with(json!({ "patient_phone": "12" })))
        .await;
    insta::assert_json_snapshot!("invalid_phone_number", answer);
    let answer = app
        .refused(&lab, &report_with(json!({ "patient_phone": null })))
        .await;
    insta::assert_json_snapshot!("missing_phone_number", answer);
}

#[tokio::test]
async fn a_message_whose_placeholders_cannot_be_filled_is_refused() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let unknown = report_with(json!({ "message": "Dear {{patient}}" }));
    insta::assert_json_snapshot!("unknown_placeholder", app.refused(&lab, &unknown).await);
    let missing = report_with(json!({ "doctor_name": " ", "message": "By {{doctor_name}}" }));
    insta::assert_json_snapshot!("missing_value", app.refused(&lab, &missing).await);
    let unclosed = report_with(json!({ "message": "Dear {{patient_name" }));
    insta::assert_json_snapshot!("unclosed_placeholder", app.refused(&lab, &unclosed).await);
    assert_eq!(app.count("messages").await, 0);
}

#[tokio::test]
async fn every_field_that_cannot_be_taken_is_named() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let wrong = [
        (json!({ "patient_name": "x".repeat(201) }), "/patient_name"),
        (json!({ "patient_name": ["Asha"] }), "/patient_name"),
        (json!({ "test_name": "two\nlines" }), "/test_name"),
        (json!({ "doctor_name": "tab\there" }), "/doctor_name"),
        (json!({ "report_date": "04/08/2026" }), "/report_date"),
        (json!({ "language": "fr" }), "/language"),
        (json!({ "message": "x".repeat(4097) }), "/message"),
        (json!({ "message": null, "report_file": null }), "/message"),
        (
            json!({ "report_filename": "x".repeat(201) }),
            "/report_filename",
        ),
        (
            json!({ "patient_phone": 9_876_543_210_u64 }),
            "/patient_phone",
        ),
    ];
    let mut told = Vec::new();
    for (changes, pointer) in wrong {
        let answer = app.refused(&lab, &report_with(changes)).await;
        assert_eq!(answer["code"], "VALIDATION_FAILED", "{answer}");
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{answer}");
        told.push(answer["errors"][0].clone());
    }
    insta::assert_json_snapshot!("report_faults", told);
    assert_eq!(app.count("messages").await, 0);
}

#[tokio::test]
async fn a_lab_without_a_number_cannot_send() {
    let app = App::start().await;
    let lab = app
        .lab_of(&merged(registration("1001"), json!({ "sender": null })))
        .await;
    let answer = app.refused(&lab, &report()).await;
    insta::assert_json_snapshot!("no_sender_number", answer);
}

#[tokio::test]
async fn outside_the_window_a_template_must_fit_the_file_and_the_language() {
    let app = App::start().await;
    let lab = lab_with_templates(
        &app,
        json!([{ "name": "r", "language": "en", "header": "document", "parameters": ["doctor_name"] }]),
    )
    .await;
    app.accepted(&lab, &report()).await;

    let image = report_with(json!({ "report_file": base64(PNG) }));
    insta::assert_json_snapshot!("no_template_for_images", app.refused(&lab, &image).await);
    let hindi = report_with(json!({ "language": "hi" }));
    insta::assert_json_snapshot!("no_template_in_language", app.refused(&lab, &hindi).await);
    let nameless = report_with(json!({ "doctor_name": null }));
    insta::assert_json_snapshot!("template_lacks_value", app.refused(&lab, &nameless).await);
    assert_eq!(app.count("messages").await, 1);
}

#[tokio::test]
async fn a_lab_without_templates_can_send_while_the_patients_window_is_open() {
    let app = App::start().await;
    let lab = lab_with_templates(&app, json!([])).await;
    insta::assert_json_snapshot!("no_template_at_all", app.refused(&lab, &report()).await);

    let now = SystemClock.now();
    open_window_until(&app, &lab, now - Duration::from_secs(1)).await;
    let over = app.refused(&lab, &report()).await;
    assert_eq!(over["code"], "TEMPLATE_NOT_FOUND");

    open_window_until(&app, &lab, now + Duration::from_hours(1)).await;
    app.accepted(&lab, &report()).await;
    let keyed = |body: &Value| app.report(&lab, body).header("idempotency-key", "k-1");
    let first = keyed(&report()).send().await.unwrap();
    let first = body_of(first, StatusCode::ACCEPTED).await;
    let somebody_else = report_with(json!({ "patient_phone": "+919876543211" }));
    let refused = app.refused(&lab, &somebody_else).await;
    assert_eq!(refused["code"], "TEMPLATE_NOT_FOUND");

    let close = "update conversation_windows set expires_at = now()";
    app.database.execute(close).await;
    assert_eq!(
        app.refused(&lab, &report()).await["code"],
        "TEMPLATE_NOT_FOUND"
    );
    let again = keyed(&report()).send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(body_of(again, StatusCode::ACCEPTED).await, first);
    let other = keyed(&somebody_else).send().await.unwrap();
    assert_eq!(problem(other).await["code"], "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(app.count("messages").await, 2);
    eventually(LIMIT, async || app.files() == 2).await;
}
