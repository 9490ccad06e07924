use std::time::Duration;

use meta_simulator::{Business, Number, Token};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Receiver, receiver::Answer};

use crate::lab::{APP, Lab, MEERA, NUMBER, TOKEN, answer, code};

const PDF: &[u8] = b"%PDF-1.7 a report";
const DAY: Duration = Duration::from_hours(24);

fn form(mime_type: &str, bytes: &[u8]) -> Form {
    let file = Part::bytes(bytes.to_vec())
        .file_name("report")
        .mime_str(mime_type)
        .unwrap();
    Form::new()
        .text("messaging_product", "whatsapp")
        .text("type", mime_type.to_owned())
        .part("file", file)
}

async fn upload(lab: &Lab, mime_type: &str, bytes: &[u8]) -> (u16, Value) {
    let path = format!("/v25.0/{NUMBER}/media");
    answer(
        lab.request(Method::POST, &path)
            .multipart(form(mime_type, bytes)),
    )
    .await
}

async fn uploaded(lab: &Lab) -> String {
    let (status, answer) = upload(lab, "application/pdf", PDF).await;
    assert_eq!(status, 200, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

fn document(id: &str, opaque: &str) -> Value {
    json!({ "to": MEERA, "type": "document", "biz_opaque_callback_data": opaque,
            "document": { "id": id, "filename": "report.pdf", "caption": "Your report" } })
}

#[tokio::test]
async fn a_file_is_uploaded_sent_fetched_and_deleted() {
    let lab = Lab::open().await;
    lab.write_in(MEERA);
    let id = uploaded(&lab).await;
    let (_, media) = lab
        .get(&format!("/v25.0/{id}?phone_number_id={NUMBER}"))
        .await;
    assert_eq!(
        (&media["mime_type"], &media["file_size"]),
        (&json!("application/pdf"), &json!(PDF.len()))
    );
    let url = media["url"].as_str().unwrap();
    let bytes = lab
        .http
        .get(url)
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(bytes, PDF);

    lab.send(document(&id, "m-1")).await;
    lab.status("m-1", "delivered").await;
    assert_eq!(
        lab.simulator.ledger().find("m-1")[0]
            .media_sha256
            .as_deref(),
        media["sha256"].as_str()
    );

    assert_eq!(
        lab.delete(&format!("/v25.0/{id}")).await,
        (200, json!({ "success": true }))
    );
    let gone = lab.get(&format!("/v25.0/{id}")).await;
    assert_eq!(
        (code(&gone), &gone.1["error"]["error_subcode"]),
        (100, &json!(33))
    );
    assert_eq!(code(&lab.send(document(&id, "m-2")).await), 100);
    let kept = lab
        .http
        .get(format!("{}/_sim/media/{id}", lab.simulator.base_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(
        kept.bytes().await.unwrap(),
        PDF,
        "the phone keeps what it has received"
    );
}

#[tokio::test]
async fn a_download_url_needs_a_token_and_lives_five_minutes() {
    let lab = Lab::open().await;
    let id = uploaded(&lab).await;
    let path = format!("/v25.0/{id}");
    let url = lab.get(&path).await.1["url"].as_str().unwrap().to_owned();
    let status = async |token: Option<&str>, url: &str| {
        let mut request = lab.http.get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(None, &url).await, 401);
    assert_eq!(status(Some("other"), &url).await, 401);
    assert_eq!(
        status(Some(TOKEN), &url.replace("hash=", "hash=0")).await,
        404
    );
    lab.simulator.clock().advance(Duration::from_secs(301));
    assert_eq!(status(Some(TOKEN), &url).await, 404);
    let fresh = lab.get(&path).await.1["url"].as_str().unwrap().to_owned();
    assert_eq!(status(Some(TOKEN), &fresh).await, 200);
}

#[tokio::test]
async fn an_uploaded_id_lives_thirty_days() {
    let lab = Lab::open().await;
    let id = uploaded(&lab).await;
    lab.simulator
        .clock()
        .advance(Duration::from_secs(30 * 24 * 3600 - 1));
    assert_eq!(lab.get(&format!("/v25.0/{id}")).await.0, 200);
    lab.simulator.clock().advance(Duration::from_secs(1));
    assert_eq!(code(&lab.get(&format!("/v25.0/{id}")).await), 100);
}

#[tokio::test]
async fn a_file_from_a_patient_lives_seven_days() {
    let lab = Lab::open().await;
    let body = json!({ "phone_number_id": NUMBER, "from": MEERA, "type": "media", "kind": "document",
                       "mime_type": "application/pdf", "data": "JVBERi0xLjc=", "filename": "old.pdf" });
    let (_, sent) = lab.post("/_sim/inbound", &body).await;
    let value = lab.inbound_value(sent["id"].as_str().unwrap()).await;
    let file = &value["messages"][0]["document"];
    assert_eq!(
        (&file["filename"], &file["mime_type"]),
        (&json!("old.pdf"), &json!("application/pdf"))
    );
    let bytes = lab
        .http
        .get(file["url"].as_str().unwrap())
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(bytes.bytes().await.unwrap(), b"%PDF-1.7".as_slice());
    lab.simulator.clock().advance(DAY * 7);
    assert_eq!(
        code(
            &lab.get(&format!("/v25.0/{}", file["id"].as_str().unwrap()))
                .await
        ),
        100
    );
}

#[tokio::test]
async fn a_file_belongs_to_the_number_it_was_uploaded_for() {
    let lab = Lab::open().await;
    let id = uploaded(&lab).await;
    lab.simulator.add_business(Business::new("w2", APP));
    lab.simulator
        .add_number(Number::new("n2", "w2", "+918000000000"));
    lab.simulator.add_token(Token::new("t2", APP).only("w2"));
    let with = |method, path: &str| {
        let url = format!("{}{path}", lab.simulator.base_url());
        lab.http.request(method, url).bearer_auth("t2")
    };
    assert_eq!(
        code(&answer(with(Method::GET, &format!("/v25.0/{id}"))).await),
        100
    );
    assert_eq!(
        code(&answer(with(Method::DELETE, &format!("/v25.0/{id}"))).await),
        100
    );
    let mut message = document(&id, "m-1");
    message["messaging_product"] = json!("whatsapp");
    assert_eq!(
        code(&answer(with(Method::POST, "/v25.0/n2/messages").json(&message)).await),
        100
    );
    assert_eq!(
        code(&lab.get(&format!("/v25.0/{id}?phone_number_id=n2")).await),
        100
    );
}

#[rstest]
#[case::unknown_type("application/zip", b"PK", 100)]
#[case::not_what_it_says("application/pdf", b"GIF89a", 131_053)]
#[case::empty("application/pdf", b"", 131_053)]
#[tokio::test]
async fn a_bad_upload_is_refused(
    #[case] mime_type: &str,
    #[case] bytes: &[u8],
    #[case] expected: u64,
) {
    let lab = Lab::open().await;
    assert_eq!(code(&upload(&lab, mime_type, bytes).await), expected);
}

#[tokio::test]
async fn an_upload_of_six_megabytes_is_taken_as_a_document_and_not_as_an_image() {
    let lab = Lab::open().await;
    let mut bytes = vec![0; 6 * 1024 * 1024];
    bytes[..5].copy_from_slice(b"%PDF-");
    assert_eq!(upload(&lab, "application/pdf", &bytes).await.0, 200);
    bytes[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n");
    assert_eq!(code(&upload(&lab, "image/png", &bytes).await), 131_053);
}

#[tokio::test]
async fn a_document_sent_as_an_image_fails_later() {
    let lab = Lab::open().await;
    lab.write_in(MEERA);
    let id = uploaded(&lab).await;
    let message = json!({ "to": MEERA, "type": "image", "image": { "id": id }, "biz_opaque_callback_data": "m-1" });
    assert_eq!(lab.send(message).await.0, 200);
    assert_eq!(
        lab.status("m-1", "failed").await["errors"][0]["code"],
        131_053
    );
}

#[tokio::test]
async fn a_link_is_fetched_or_fails_later() {
    let lab = Lab::open().await;
    lab.write_in(MEERA);
    let host = Receiver::start().await;
    let message = |opaque: &str| {
        json!({ "to": MEERA, "type": "document", "biz_opaque_callback_data": opaque,
                "document": { "link": host.url("/report.pdf"), "filename": "report.pdf" } })
    };
    let file = Answer::status(200)
        .header("content-type", "application/pdf")
        .body(PDF);
    host.answer_next(file);
    lab.send(message("good")).await;
    lab.status("good", "delivered").await;
    let chat = lab.simulator.conversation(NUMBER, MEERA).unwrap();
    let attachment = chat.messages[1].attachment.as_ref().unwrap();
    assert_eq!(
        (attachment.size_bytes, attachment.media_id.is_some()),
        (Some(PDF.len()), true)
    );

    host.answer_all(Answer::status(429));
    assert_eq!(lab.send(message("bad")).await.0, 200);
    let failed = lab.status("bad", "failed").await;
    assert_eq!(failed["errors"][0]["code"], 131_053);
    assert_eq!(
        failed["errors"][0]["error_data"]["details"],
        "Downloading media from weblink failed with http code 429, status message Too Many Requests"
    );
}
