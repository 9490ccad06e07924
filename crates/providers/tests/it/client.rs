use std::time::Duration;

use domain::{ErrorClass, ThrottleScope};
use providers::{
    Content, MediaUpload, Provider, PublicCode, Rejection, SendError, Sender, meta::MetaClient,
};
use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, body_string_contains, header, method, path},
};

use crate::{TOKEN, client, message, sender, text};

const MESSAGES: &str = "/v25.0/106540352242922/messages";

async fn answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(response)
        .mount(&server)
        .await;
    server
}

fn accepted() -> Value {
    json!({
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+919876543210", "wa_id": "919876543210"}],
        "messages": [{"id": "wamid.HBgL", "message_status": "accepted"}],
    })
}

async fn refused(status: u16, body: Value) -> Rejection {
    let server = answering(ResponseTemplate::new(status).set_body_json(body)).await;
    match client(&server.uri()).send(&sender(), &text()).await {
        Err(SendError::Rejected(rejection)) => *rejection,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

#[tokio::test]
async fn an_accepted_message_has_the_providers_id() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(MESSAGES))
        .and(header("authorization", format!("Bearer {TOKEN}")))
        .and(header("content-type", "application/json"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(accepted())
                .insert_header("x-fb-trace-id", "Bx7"),
        )
        .expect(1)
        .mount(&server)
        .await;
    let accepted = client(&server.uri())
        .send(&sender(), &text())
        .await
        .unwrap();
    assert_eq!(accepted.wamid, "wamid.HBgL");
    assert_eq!(accepted.wa_id.as_deref(), Some("919876543210"));
    assert_eq!(accepted.message_status.as_deref(), Some("accepted"));
    assert_eq!(accepted.trace_id.as_deref(), Some("Bx7"));
}

#[rstest]
#[case::to_a_user_id(json!({"contacts": [{"user_id": "US.134"}], "messages": [{"id": "wamid.1"}]}))]
#[case::without_contacts(json!({"messages": [{"id": "wamid.1"}]}))]
#[case::with_odd_contacts(json!({"contacts": "none", "messages": [{"id": "wamid.1", "message_status": 7}]}))]
#[tokio::test]
async fn only_the_id_of_the_message_is_needed(#[case] body: Value) {
    let server = answering(ResponseTemplate::new(200).set_body_json(body)).await;
    let accepted = client(&server.uri())
        .send(&sender(), &text())
        .await
        .unwrap();
    assert_eq!(accepted.wamid, "wamid.1");
    assert_eq!((accepted.wa_id, accepted.message_status), (None, None));
}

#[tokio::test]
async fn the_base_url_may_have_a_path() {
    let server = MockServer::start().await;
    Mock::given(path(format!("/graph{MESSAGES}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(accepted()))
        .mount(&server)
        .await;
    client(&format!("{}/graph/", server.uri()))
        .send(&sender(), &text())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_path() {
    let server = answering(ResponseTemplate::new(200).set_body_json(accepted())).await;
    let sender = Sender {
        phone_number_id: "1/../2?x=#".to_owned(),
        ..sender()
    };
    client(&server.uri()).send(&sender, &text()).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].url.path(), "/v25.0/1%2F..%2F2%3Fx=%23/messages");
}

#[rstest]
#[case::overloaded(500, 2, ErrorClass::Retry, false)]
#[case::unknown_fault(500, 131_000, ErrorClass::Retry, false)]
#[case::unavailable(503, 131_016, ErrorClass::Retry, false)]
#[case::throughput(429, 130_429, ErrorClass::Throttle(ThrottleScope::Phone), true)]
#[case::token(401, 190, ErrorClass::Credential, false)]
#[case::capability(500, 3, ErrorClass::Credential, false)]
#[case::even_with_a_good_status(200, 131_009, ErrorClass::Permanent, false)]
#[tokio::test]
async fn an_answered_error_is_a_no_whatever_the_status(
    #[case] status: u16,
    #[case] code: i64,
    #[case] class: ErrorClass,
    #[case] replay_safe: bool,
) {
    let rejection = refused(
        status,
        json!({"error": {"message": "No", "code": code, "fbtrace_id": "Az8"}}),
    )
    .await;
    assert_eq!((rejection.code, rejection.http_status), (code, status));
    assert_eq!(rejection.classified.class, class);
    assert_eq!(rejection.classified.replay_safe, replay_safe);
    assert_eq!(rejection.trace_id.as_deref(), Some("Az8"));
}

#[rstest]
#[case::object(json!({"messaging_product": "whatsapp", "details": "why"}), "No: why")]
#[case::plain_text(json!("why"), "No: why")]
#[case::something_else(json!([1]), "No")]
#[tokio::test]
async fn the_providers_words_are_kept_apart(#[case] data: Value, #[case] expected: &str) {
    let error = json!({"message": "No", "code": "100", "error_subcode": "33", "error_data": data, "is_transient": null});
    let rejection = refused(400, json!({ "error": error })).await;
    assert_eq!(
        rejection.details.as_ref().unwrap().expose_secret(),
        expected
    );
    assert_eq!(rejection.subcode, Some(33));
    assert_eq!(rejection.classified.class, ErrorClass::Account);
}

#[tokio::test]
async fn a_token_that_fits_no_header_is_refused_without_a_call() {
    let server = answering(ResponseTemplate::new(200).set_body_json(accepted())).await;
    let sender = Sender {
        token: "EAAG\nsecond line".into(),
        ..sender()
    };
    let error = client(&server.uri())
        .send(&sender, &text())
        .await
        .unwrap_err();
    let SendError::Rejected(rejection) = error else {
        panic!("expected a rejection, got {error:?}")
    };
    assert_eq!(rejection.classified.class, ErrorClass::Credential);
    assert_eq!(rejection.classified.public_code, PublicCode::SessionExpired);
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[rstest]
#[case::accepted(200, accepted())]
#[case::refused(429, json!({"error": {"code": 80007}}))]
#[tokio::test]
async fn usage_comes_with_every_answer(#[case] status: u16, #[case] body: Value) {
    let accounts = r#"{"102290129340398":[
        {"type":"whatsapp_business_management","call_count":1,"total_cputime":2,"total_time":3.5,"estimated_time_to_regain_access":0},
        {"type":"whatsapp","call_count":100,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":7}]}"#;
    let response = ResponseTemplate::new(status)
        .set_body_json(body)
        .insert_header("x-app-usage", r#"{"call_count":28,"total_cputime":10}"#)
        .insert_header(
            "x-business-use-case-usage",
            accounts.replace('\n', "").as_str(),
        );
    let server = answering(response).await;
    let usage = match client(&server.uri()).send(&sender(), &text()).await {
        Ok(accepted) => accepted.usage,
        Err(SendError::Rejected(rejection)) => rejection.usage,
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(usage.app.unwrap().calls_percent, 28);
    assert_eq!(usage.accounts.len(), 2);
    assert_eq!(usage.accounts[0].account_id, "102290129340398");
    assert_eq!(usage.accounts[0].load.time_percent, 4);
    assert_eq!(usage.accounts[0].regain_access, None);
    assert_eq!(usage.accounts[1].kind, "whatsapp");
    assert_eq!(
        usage.accounts[1].regain_access,
        Some(Duration::from_mins(7))
    );
    assert_eq!(usage.highest_percent(), 100);
}

#[tokio::test]
async fn unreadable_usage_says_nothing() {
    let response = ResponseTemplate::new(200)
        .set_body_json(accepted())
        .insert_header("x-app-usage", "much")
        .insert_header("x-business-use-case-usage", "[]");
    let server = answering(response).await;
    let accepted = client(&server.uri())
        .send(&sender(), &text())
        .await
        .unwrap();
    assert_eq!(accepted.usage.highest_percent(), 0);
}

async fn upload(server: &MockServer, filename: &str) -> Result<String, SendError> {
    let media = MediaUpload {
        mime: "application/pdf".to_owned(),
        filename: filename.to_owned(),
        bytes: "%PDF-1.7".into(),
    };
    // Through the trait, as the sender does.
    Provider::upload_media(&client(&server.uri()), &sender(), media).await
}

#[tokio::test]
async fn an_upload_carries_the_file_and_its_type() {
    let server = MockServer::start().await;
    let part = |name: &str, value: &str| {
        body_string_contains(format!("name=\"{name}\"\r\n\r\n{value}\r\n"))
    };
    Mock::given(method("POST"))
        .and(path("/v25.0/106540352242922/media"))
        .and(header("authorization", format!("Bearer {TOKEN}")))
        .and(part("messaging_product", "whatsapp"))
        .and(part("type", "application/pdf"))
        .and(body_string_contains(
            "name=\"file\"; filename=\"Asha_s_report_____.pdf\"\r\nContent-Type: application/pdf\r\n",
        ))
        .and(body_string_contains("%PDF-1.7"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"id": "4490709327384033"})))
        .mount(&server)
        .await;
    let media_id = upload(&server, "Asha's\"report\r\nरिप.pdf").await.unwrap();
    assert_eq!(media_id, "4490709327384033");
}

#[tokio::test]
async fn a_refused_upload_is_classified_like_a_send() {
    let error = json!({"error": {"code": 131_053, "error_data": {"details": "File size is over the limit"}}});
    let server = answering(ResponseTemplate::new(400).set_body_json(error)).await;
    let error = upload(&server, "report.pdf").await.unwrap_err();
    let SendError::Rejected(rejection) = error else {
        panic!("expected a rejection, got {error:?}")
    };
    assert_eq!(
        rejection.classified.public_code,
        PublicCode::FileSizeExceeded
    );
}

#[tokio::test]
async fn the_trait_sends_once_through_the_client() {
    async fn send(provider: &impl Provider) -> Result<String, SendError> {
        let sent = provider
            .send(
                &sender(),
                &message(Content::template("ready".into(), "en".into(), None, vec![])),
            )
            .await;
        sent.map(|accepted| accepted.wamid)
    }
    let server = answering(ResponseTemplate::new(200).set_body_json(accepted())).await;
    let client: MetaClient = client(&server.uri());
    assert_eq!(send(&client).await.unwrap(), "wamid.HBgL");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}
