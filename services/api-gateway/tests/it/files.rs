//! Report files that cannot be taken, and that nothing of them stays.

use reqwest::{
    StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use testkit::eventually;

use crate::support::{App, LIMIT, Lab, MAX_FILE, PDF, base64, problem, report_with};

async fn assert_nothing_stays(app: &App) {
    eventually(LIMIT, async || match app.files() {
        0 => Ok(()),
        files => Err(files),
    })
    .await;
    assert_eq!(app.count("messages").await, 0);
    assert_eq!(app.count("attachments").await, 0);
}

async fn refused_form(app: &App, lab: &Lab, form: Form) -> Value {
    let request = app.post(&lab.key, "/api/messages/send-report");
    problem(request.multipart(form).send().await.unwrap()).await
}

fn form(file: Vec<u8>) -> Form {
    Form::new()
        .part("report_file", Part::bytes(file).file_name("cbc.pdf"))
        .text("patient_phone", "+919876543210")
        .text("patient_name", "Asha Rao")
        .text("test_name", "CBC")
}

fn pdf_of(bytes: usize) -> Vec<u8> {
    PDF.iter().copied().cycle().take(bytes).collect()
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_in_either_form() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let file = pdf_of(MAX_FILE + 1);
    let json = app
        .refused(&lab, &report_with(json!({ "report_file": base64(&file) })))
        .await;
    insta::assert_json_snapshot!("file_size_exceeded", json);
    assert_eq!(refused_form(&app, &lab, form(file)).await, json);
    assert_nothing_stays(&app).await;

    let just_right = report_with(json!({ "report_file": base64(&pdf_of(MAX_FILE)) }));
    app.accepted(&lab, &just_right).await;
}

#[tokio::test]
async fn a_body_that_no_report_can_have_is_not_read_to_its_end() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let body = report_with(json!({ "report_file": "A".repeat(MAX_FILE * 2) }));
    let answer = app.refused(&lab, &body).await;
    assert_eq!(
        (&answer["status"], &answer["code"]),
        (&json!(413), &json!("FILE_SIZE_EXCEEDED"))
    );
    assert_nothing_stays(&app).await;
}

#[tokio::test]
async fn a_file_of_another_type_is_refused_whatever_it_is_called() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let body = report_with(
        json!({ "report_file": base64(b"PK\x03\x04 a zip"), "report_filename": "cbc.pdf" }),
    );
    let answer = app.refused(&lab, &body).await;
    insta::assert_json_snapshot!("unsupported_file_type", answer);
    assert_eq!(
        refused_form(&app, &lab, form(b"GIF89a".to_vec())).await,
        answer
    );
    assert_nothing_stays(&app).await;
}

#[tokio::test]
async fn an_empty_file_is_refused() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let answer = app
        .refused(&lab, &report_with(json!({ "report_file": "" })))
        .await;
    insta::assert_json_snapshot!("empty_file", answer);
    assert_eq!(refused_form(&app, &lab, form(Vec::new())).await, answer);
    assert_nothing_stays(&app).await;
}

#[tokio::test]
async fn what_is_not_base64_is_refused_wherever_it_goes_wrong() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let bytes = pdf_of(150_000);
    let long = base64(&bytes);
    let (head, tail) = long.split_at(65_536);
    // What ends with padding exactly where one piece of the decoding ends.
    let (first, second) = bytes.split_at(49_151);
    let wrong = [
        "not base64!".to_owned(),
        base64(PDF).trim_end_matches('=').to_owned() + "*",
        base64(first) + &base64(second),
        format!("{head}\n{tail}"),
    ];
    for text in wrong {
        let answer = app
            .refused(&lab, &report_with(json!({ "report_file": text })))
            .await;
        insta::assert_json_snapshot!("malformed_base64", answer);
    }
    assert_nothing_stays(&app).await;
}

#[tokio::test]
async fn the_file_of_a_form_whose_fields_are_refused_is_removed() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let unknown_phone = Form::new()
        .part("report_file", Part::bytes(PDF))
        .text("patient_phone", "12");
    let answer = refused_form(&app, &lab, unknown_phone).await;
    assert_eq!(answer["code"], "INVALID_PHONE_NUMBER");
    let twice = form(PDF.to_vec()).part("report_file", Part::bytes(PDF));
    let answer = refused_form(&app, &lab, twice).await;
    insta::assert_json_snapshot!("two_files", answer);
    let two_names = form(PDF.to_vec()).text("patient_name", "Asha again");
    let answer = refused_form(&app, &lab, two_names).await;
    assert_eq!(answer["errors"][0]["pointer"], "/patient_name");
    let endless = form(PDF.to_vec()).text("message", "x".repeat(40_000));
    let answer = refused_form(&app, &lab, endless).await;
    assert_eq!(answer["errors"][0]["pointer"], "/message");
    assert_nothing_stays(&app).await;
}

#[tokio::test]
async fn the_file_of_a_form_that_breaks_off_is_removed() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let cut =
        "--b\r\ncontent-disposition: form-data; name=\"report_file\"\r\n\r\n%PDF-1.7 and no end";
    let request = app.post(&lab.key, "/api/messages/send-report");
    let request = request.header("content-type", "multipart/form-data; boundary=b");
    let answer = request.body(cut).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    insta::assert_json_snapshot!("malformed_form", problem(answer).await);

    let request = app.post(&lab.key, "/api/messages/send-report");
    let request = request.header("content-type", "multipart/form-data");
    let answer = request.body("").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_nothing_stays(&app).await;
}

#[tokio::test]
async fn a_client_that_is_still_sending_hears_why_it_is_refused() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let file = pdf_of(8 * 1024 * 1024);
    let body = report_with(json!({ "report_file": base64(&file) }));
    for _ in 0..5 {
        let json = app.refused(&lab, &body).await;
        assert_eq!(json["code"], "FILE_SIZE_EXCEEDED");
        let form = refused_form(&app, &lab, form(file.clone())).await;
        assert_eq!(form["code"], "FILE_SIZE_EXCEEDED");
        let stranger = app.post("lw_stranger", "/api/messages/send-report");
        let stranger = stranger.json(&body).send().await.unwrap();
        assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    }
    assert_nothing_stays(&app).await;
}
