use providers::SendError;
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header, method, path, query_param, query_param_is_missing},
};

use crate::{TOKEN, client, sender};

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

#[rstest]
#[case::for_ever(0, None)]
#[case::for_a_time(1_800_000_000, Some(1_800_000_000))]
#[tokio::test]
async fn a_token_tells_whether_and_how_long_it_is_valid(
    #[case] expires_at: i64,
    #[case] expected: Option<i64>,
) {
    let server = MockServer::start().await;
    let data = json!({"app_id": "670843887433847", "type": "SYSTEM_USER", "is_valid": true, "expires_at": expires_at,
        "data_access_expires_at": 0, "scopes": ["whatsapp_business_messaging"], "user_id": "1"});
    Mock::given(method("GET"))
        .and(path("/v25.0/debug_token"))
        .and(query_param("input_token", TOKEN))
        .and(header("authorization", format!("Bearer {TOKEN}")))
        .respond_with(ok(json!({ "data": data })))
        .mount(&server)
        .await;
    let token = client(&server.uri())
        .debug_token(&TOKEN.into())
        .await
        .unwrap();
    assert!(token.is_valid);
    assert_eq!(token.app_id.as_deref(), Some("670843887433847"));
    assert_eq!(token.scopes, ["whatsapp_business_messaging"]);
    assert_eq!(token.expires_at.map(|at| at.timestamp()), expected);
    assert_eq!(token.data_access_expires_at, None);
}

#[tokio::test]
async fn a_number_tells_its_state() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v25.0/106540352242922"))
        .and(query_param(
            "fields",
            "verified_name,display_phone_number,quality_rating,status,name_status,\
            code_verification_status,platform_type,throughput,whatsapp_business_manager_messaging_limit",
        ))
        .respond_with(ok(json!({"id": "106540352242922", "display_phone_number": "+91 98765 43210", "status": "CONNECTED",
            "quality_rating": "GREEN", "throughput": {"level": "STANDARD"},
            "whatsapp_business_manager_messaging_limit": "TIER_2K"})))
        .mount(&server)
        .await;
    let number = client(&server.uri()).phone_number(&sender()).await.unwrap();
    assert_eq!(number.status.as_deref(), Some("CONNECTED"));
    assert_eq!(number.throughput.as_deref(), Some("STANDARD"));
    assert_eq!(number.messaging_limit.as_deref(), Some("TIER_2K"));
    assert_eq!(number.verified_name, None);
}

fn template(id: &str) -> Value {
    json!({"id": id, "name": "report_ready", "language": "en_US", "status": "APPROVED", "category": "UTILITY",
        "parameter_format": "NAMED", "components": [{"type": "BODY", "text": "Dear {{patient_name}}"}]})
}

#[tokio::test]
async fn templates_come_in_pages() {
    let server = MockServer::start().await;
    let page = || {
        Mock::given(path("/v25.0/102290129340398/message_templates")).and(query_param("limit", "1"))
    };
    page()
        .and(query_param_is_missing("after"))
        .respond_with(ok(json!({"data": [template("1")], "paging": {"cursors": {"before": "A", "after": "B"}, "next": "https://…"}})))
        .mount(&server)
        .await;
    page()
        .and(query_param("after", "B"))
        .respond_with(ok(
            json!({"data": [template("2")], "paging": {"cursors": {"before": "B", "after": "C"}}}),
        ))
        .mount(&server)
        .await;
    let client = client(&server.uri());
    let first = client
        .templates(&TOKEN.into(), "102290129340398", 1, None)
        .await
        .unwrap();
    assert_eq!(first.templates[0].id, "1");
    assert_eq!(
        first.templates[0].parameter_format.as_deref(),
        Some("NAMED")
    );
    assert_eq!(first.templates[0].components[0]["type"], "BODY");
    assert_eq!(first.after.as_deref(), Some("B"));
    let second = client
        .templates(&TOKEN.into(), "102290129340398", 1, first.after.as_deref())
        .await
        .unwrap();
    assert_eq!(second.templates[0].id, "2");
    assert_eq!(second.after, None);
}

#[tokio::test]
async fn an_account_without_templates_has_an_empty_page() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ok(json!({"data": []})))
        .mount(&server)
        .await;
    let page = client(&server.uri())
        .templates(&TOKEN.into(), "1", 10, None)
        .await
        .unwrap();
    assert!(page.templates.is_empty() && page.after.is_none());
}

#[tokio::test]
async fn an_app_is_subscribed_and_a_file_deleted() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v25.0/102290129340398/subscribed_apps"))
        .respond_with(ok(json!({"success": true})))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("DELETE"))
        .and(path("/v25.0/4490709327384033"))
        .respond_with(ok(json!({"success": true})))
        .expect(1)
        .mount(&server)
        .await;
    let client = client(&server.uri());
    client
        .subscribe_app(&TOKEN.into(), "102290129340398")
        .await
        .unwrap();
    client
        .delete_media(&sender(), "4490709327384033")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_success_that_is_none_is_no_success() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ok(json!({"success": false})))
        .mount(&server)
        .await;
    let deleted = client(&server.uri()).delete_media(&sender(), "1").await;
    assert!(
        matches!(deleted, Err(SendError::Ambiguous { .. })),
        "{deleted:?}"
    );
}
