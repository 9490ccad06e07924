use axum::{Router, body::Body, routing::post};
use http::{Request, StatusCode};
use proptest::prelude::*;
use serde::Deserialize;
use web::ValidJson;

use crate::{Answer, send};

#[derive(Deserialize)]
#[expect(dead_code, reason = "only deserialized")]
struct Report {
    patient: Patient,
    lane: Lane,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only deserialized")]
struct Patient {
    age: u8,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Lane {
    Report,
    Bulk,
}

async fn posted(content_type: &str, body: impl Into<Body>) -> Answer {
    let router = Router::new().route("/", post(|ValidJson(_): ValidJson<Report>| async {}));
    let request = Request::post("/")
        .header("content-type", content_type)
        .body(body.into());
    send(router, request.unwrap()).await
}

async fn refused(body: &str) -> String {
    posted("application/json", body.to_owned()).await.problem()
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let body = r#"{"patient": {"age": 40, "name": "Asha"}, "lane": "report", "new": 1}"#;
    for content_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/a+json",
    ] {
        assert_eq!(
            posted(content_type, body).await.status,
            StatusCode::OK,
            "{content_type}"
        );
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    insta::assert_snapshot!(posted("text/plain", "{}").await.problem(), @r#"
    415 Unsupported Media Type
    {
      "code": "UNSUPPORTED_MEDIA_TYPE",
      "detail": "the body must be application/json",
      "request_id": "req-1",
      "status": 415,
      "title": "Unsupported Media Type",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    insta::assert_snapshot!(posted("application/json", " ".repeat(257)).await.problem(), @r#"
    413 Payload Too Large
    {
      "code": "PAYLOAD_TOO_LARGE",
      "request_id": "req-1",
      "status": 413,
      "title": "Payload Too Large",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn what_is_not_json_is_refused_with_its_place() {
    insta::assert_snapshot!(refused("{\"patient\":\n  {\"name\": Asha}}").await, @r#"
    400 Bad Request
    {
      "code": "MALFORMED_JSON",
      "detail": "at line 2 column 12",
      "request_id": "req-1",
      "status": 400,
      "title": "The request body is not JSON",
      "type": "urn:labwire:problem:malformed_json"
    }
    "#);
    assert!(refused("").await.starts_with("400"));
    assert!(refused("{} {}").await.starts_with("422"));
}

#[tokio::test]
async fn what_follows_the_body_is_refused() {
    let body = r#"{"patient": {"age": 40, "name": "Asha"}, "lane": "report"} Asha"#;
    let problem = refused(body).await;
    assert!(
        problem.starts_with("400") && !problem.contains("Asha"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_wrong_type_is_refused_with_a_pointer_and_without_the_value() {
    let body = r#"{"patient": {"age": "Asha, expected 40", "name": "Asha"}, "lane": "bulk"}"#;
    insta::assert_snapshot!(refused(body).await, @r#"
    422 Unprocessable Entity
    {
      "code": "VALIDATION_FAILED",
      "errors": [
        {
          "detail": "expected a whole number from 0",
          "pointer": "/patient/age"
        }
      ],
      "request_id": "req-1",
      "status": 422,
      "title": "The request body is not what this endpoint takes",
      "type": "urn:labwire:problem:validation_failed"
    }
    "#);
}

#[tokio::test]
async fn a_missing_field_is_pointed_at() {
    insta::assert_snapshot!(refused(r#"{"patient": {"age": 40}, "lane": "bulk"}"#).await, @r#"
    422 Unprocessable Entity
    {
      "code": "VALIDATION_FAILED",
      "errors": [
        {
          "detail": "required",
          "pointer": "/patient/name"
        }
      ],
      "request_id": "req-1",
      "status": 422,
      "title": "The request body is not what this endpoint takes",
      "type": "urn:labwire:problem:validation_failed"
    }
    "#);
}

#[tokio::test]
async fn an_unknown_variant_is_refused_with_those_there_are() {
    let body = r#"{"patient": {"age": 40, "name": "x"}, "lane": "Asha"}"#;
    insta::assert_snapshot!(refused(body).await, @r#"
    422 Unprocessable Entity
    {
      "code": "VALIDATION_FAILED",
      "errors": [
        {
          "detail": "expected `report` or `bulk`",
          "pointer": "/lane"
        }
      ],
      "request_id": "req-1",
      "status": 422,
      "title": "The request body is not what this endpoint takes",
      "type": "urn:labwire:problem:validation_failed"
    }
    "#);
}

#[tokio::test]
async fn an_element_of_an_array_is_pointed_at() {
    let body = r#"{"tags": ["x", 7], "lane": "bulk"}"#;
    insta::assert_snapshot!(refused(body).await, @r#"
    422 Unprocessable Entity
    {
      "code": "VALIDATION_FAILED",
      "errors": [
        {
          "detail": "expected a string",
          "pointer": "/tags/1"
        }
      ],
      "request_id": "req-1",
      "status": 422,
      "title": "The request body is not what this endpoint takes",
      "type": "urn:labwire:problem:validation_failed"
    }
    "#);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused_at_its_root() {
    insta::assert_snapshot!(refused("\"Asha\"").await, @r#"
    422 Unprocessable Entity
    {
      "code": "VALIDATION_FAILED",
      "errors": [
        {
          "detail": "expected an object",
          "pointer": ""
        }
      ],
      "request_id": "req-1",
      "status": 422,
      "title": "The request body is not what this endpoint takes",
      "type": "urn:labwire:problem:validation_failed"
    }
    "#);
}

proptest! {
    #[test]
    fn no_value_is_ever_repeated(value in "(x, expected )?[a-zA-Z0-9 `,]{0,40}", field in 0..3usize) {
        let marked = format!("MARK{value}MARK");
        let text = |at: usize, fallback: &str| if at == field { format!("{marked:?}") } else { fallback.into() };
        let body = format!(
            "{{\"patient\": {{\"age\": {}, \"name\": \"x\"}}, \"lane\": {}, \"tags\": {}}}",
            text(0, "4"), text(1, "\"bulk\""), text(2, "[]"),
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let problem = runtime.block_on(refused(&body));
        prop_assert!(problem.starts_with("422"));
        prop_assert!(!problem.contains("MARK"), "{problem}");
    }
}
