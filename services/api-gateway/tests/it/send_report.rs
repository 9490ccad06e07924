use chrono::{DateTime, Duration, Utc};
use domain::{AttachmentId, Clock as _, MessageId, SystemClock};
use reqwest::{
    StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use storage::messages::{find_message, list_sendable};
use uuid::Uuid;

use crate::support::{
    App, Lab, PDF, PNG, body_of, merged, registration, report, report_with, text,
};

async fn open(app: &App, lab: &Lab, id: MessageId) -> (String, sealed_records::ReportContent) {
    let mut connection = app.worker.acquire().await.unwrap();
    let message = find_message(&mut connection, id).await.unwrap().unwrap();
    let records = app.records(lab).await;
    let recipient = records.open_recipient(&message.recipient).unwrap();
    let content = records.open_report(&message.content).unwrap();
    (recipient.as_e164().to_owned(), content)
}

async fn only_attachment(app: &App) -> (AttachmentId, Value) {
    let rows = app.database.rows("select * from attachments").await;
    assert_eq!(rows.len(), 1);
    let id: Uuid = text(&rows[0], "id").parse().unwrap();
    (AttachmentId::from_uuid(id), rows[0].clone())
}

#[tokio::test]
async fn a_report_is_accepted_with_its_file_and_its_work() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = app
        .report(&lab, &report())
        .header("traceparent", traceparent);
    let answer = answer.send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(!answer.headers().contains_key("idempotency-replayed"));
    let accepted = body_of(answer, StatusCode::ACCEPTED).await;
    let id: MessageId = text(&accepted, "message_id").parse().unwrap();
    assert_eq!(
        (&accepted["success"], &accepted["status"]),
        (&json!(true), &json!("queued"))
    );
    assert_eq!(location, format!("/api/messages/{id}/status"));

    let (recipient, content) = open(&app, &lab, id).await;
    assert_eq!(recipient, "+919876543210");
    assert_eq!(
        content.text,
        "Dear Asha Rao, your Complete Blood Count report of 4 August 2019 is ready."
    );
    assert_eq!(content.doctor_name.as_deref(), Some("Dr. Smith"));
    let (attachment, row) = only_attachment(&app).await;
    assert_eq!(row["media_type"], "application/pdf");
    assert_eq!(row["size_bytes"], PDF.len());
    assert_eq!(app.file(&lab, attachment).await, PDF);

    let work = app.database.rows("select * from work").await;
    assert_eq!(work.len(), 1);
    assert_eq!(
        (&work[0]["kind"], &work[0]["lane"]),
        (&json!("send"), &json!(1))
    );
    assert_eq!(work[0]["subject"], id.as_uuid().to_string());
    assert_eq!(work[0]["state"], "waiting");
    let stored = text(&work[0], "traceparent");
    assert!(
        stored.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
        "{stored}"
    );
    let timeline = app.database.rows("select kind from timeline").await;
    assert_eq!(timeline, [json!({ "kind": "accepted" })]);
}

#[tokio::test]
async fn a_message_expires_after_its_lifetime() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    app.accepted(&lab, &report()).await;
    let rows = app
        .database
        .rows("select created_at, expires_at from messages")
        .await;
    let at = |field| text(&rows[0], field).parse::<DateTime<Utc>>().unwrap();
    assert_eq!(at("expires_at") - at("created_at"), Duration::hours(72));
}

#[tokio::test]
async fn a_form_says_the_same_as_json() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let file = Part::bytes(PNG).file_name("blood.png");
    let form = Form::new()
        .text("patient_phone", "098765 43210")
        .part("report_file", file)
        .text("patient_name", "Asha Rao")
        .text("message", "Dear {{patient_name}}")
        .text("test_name", "Complete Blood Count")
        .text("something_else", "is ignored");
    let answer = app.post(&lab.key, "/api/messages/send-report");
    let answer = answer.multipart(form).send().await.unwrap();
    let accepted = body_of(answer, StatusCode::ACCEPTED).await;
    let id = text(&accepted, "message_id").parse().unwrap();

    let (recipient, content) = open(&app, &lab, id).await;
    assert_eq!(recipient, "+919876543210");
    assert_eq!(content.text, "Dear Asha Rao");
    let (attachment, row) = only_attachment(&app).await;
    assert_eq!(row["media_type"], "image/png");
    assert_eq!(app.file(&lab, attachment).await, PNG);
    let mut connection = app.worker.acquire().await.unwrap();
    let sendable = list_sendable(&mut connection, &[id], SystemClock.now()).await;
    let stored = sendable.unwrap().remove(0).file.unwrap().attachment;
    assert_eq!(stored.id, attachment);
    let filename = app.records(&lab).await.open_filename(&stored.filename);
    assert_eq!(filename.unwrap(), "blood.png");
}

#[tokio::test]
async fn a_file_of_many_pieces_arrives_whole_in_either_form() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let bytes: Vec<u8> = PDF.iter().copied().cycle().take(200_003).collect();
    app.accepted(
        &lab,
        &report_with(json!({ "report_file": crate::support::base64(&bytes) })),
    )
    .await;
    let (attachment, _) = only_attachment(&app).await;
    assert_eq!(app.file(&lab, attachment).await, bytes);

    app.database.execute("truncate attachments cascade").await;
    let form = Form::new()
        .text("patient_phone", "+919876543210")
        .text("patient_name", "Asha")
        .text("test_name", "CBC")
        .part("report_file", Part::bytes(bytes.clone()));
    let answer = app
        .post(&lab.key, "/api/messages/send-report")
        .multipart(form);
    assert_eq!(answer.send().await.unwrap().status(), StatusCode::ACCEPTED);
    let (attachment, _) = only_attachment(&app).await;
    assert_eq!(app.file(&lab, attachment).await, bytes);
}

#[tokio::test]
async fn without_words_of_its_own_a_lab_says_the_usual_in_its_language() {
    let app = App::start().await;
    let body = merged(
        registration("1001"),
        json!({ "language": "hi", "templates": [
            { "name": "r", "language": "hi", "header": "document" },
            { "name": "r", "language": "en", "header": "document" },
        ] }),
    );
    let lab = app.lab_of(&body).await;
    let id = app
        .accepted(&lab, &report_with(json!({ "message": null })))
        .await;
    let (_, hindi) = open(&app, &lab, id).await;
    assert!(hindi.text.starts_with("प्रिय Asha Rao"), "{}", hindi.text);

    let english = report_with(json!({ "message": " ", "language": "en" }));
    let id = app.accepted(&lab, &english).await;
    let (_, english) = open(&app, &lab, id).await;
    assert!(
        english.text.contains("from ABC Pathology Lab"),
        "{}",
        english.text
    );
}

#[tokio::test]
async fn a_message_may_go_without_a_file_and_fields_that_mean_nothing_are_ignored() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let body = report_with(json!({ "report_file": null, "priority": { "level": 3 } }));
    app.accepted(&lab, &body).await;
    assert_eq!(app.count("attachments").await, 0);
    assert_eq!(app.files(), 0);
}
