use axum::{Router, body::Body, routing::post};
use http::{Request, StatusCode};
use secrecy::ExposeSecret as _;
use web::{BearerToken, IdempotencyKey};

use crate::{Answer, send};

fn router() -> Router {
    Router::new()
        .route(
            "/token",
            post(|token: BearerToken| async move { token.0.expose_secret().to_owned() }),
        )
        .route(
            "/required",
            post(|key: IdempotencyKey| async move { key.into_string() }),
        )
        .route(
            "/optional",
            post(|key: Option<IdempotencyKey>| async move {
                key.map_or("none".to_owned(), IdempotencyKey::into_string)
            }),
        )
}

async fn posted(path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router(), request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
    for value in ["Bearer lw_1_x", "bearer lw_1_x", "BEARER  lw_1_x"] {
        assert_eq!(
            posted("/token", &[("authorization", value)]).await.body,
            "lw_1_x"
        );
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_unauthorized() {
    let answer = posted("/token", &[]).await;
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    insta::assert_snapshot!(answer.problem(), @r#"
    401 Unauthorized
    {
      "code": "UNAUTHORIZED_ACCESS",
      "request_id": "req-1",
      "status": 401,
      "title": "A valid API key is required",
      "type": "urn:labwire:problem:unauthorized_access"
    }
    "#);
}

#[tokio::test]
async fn what_is_no_single_bearer_token_is_unauthorized() {
    for value in [
        "Basic eDp5",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer \u{e4}",
    ] {
        let answer = posted("/token", &[("authorization", value)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
    }
    let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    assert_eq!(
        posted("/token", &twice).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn an_idempotency_key_may_be_left_out_only_where_it_is_optional() {
    assert_eq!(posted("/optional", &[]).await.body, "none");
    insta::assert_snapshot!(posted("/required", &[]).await.problem(), @r#"
    400 Bad Request
    {
      "code": "INVALID_IDEMPOTENCY_KEY",
      "detail": "it is required here",
      "request_id": "req-1",
      "status": 400,
      "title": "The Idempotency-Key header is not usable",
      "type": "urn:labwire:problem:invalid_idempotency_key"
    }
    "#);
}

#[tokio::test]
async fn an_idempotency_key_is_1_to_255_visible_characters() {
    let longest = "k".repeat(255);
    for key in ["k", "a-b_c:d/1", &longest] {
        assert_eq!(
            posted("/optional", &[("idempotency-key", key)]).await.body,
            key
        );
    }
    for key in ["", "a b", "\u{e4}", &"k".repeat(256)] {
        let answer = posted("/optional", &[("idempotency-key", key)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{key}");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    insta::assert_snapshot!(posted("/optional", &twice).await.problem(), @r#"
    400 Bad Request
    {
      "code": "INVALID_IDEMPOTENCY_KEY",
      "detail": "it must be given once, as 1 to 255 visible ASCII characters",
      "request_id": "req-1",
      "status": 400,
      "title": "The Idempotency-Key header is not usable",
      "type": "urn:labwire:problem:invalid_idempotency_key"
    }
    "#);
}
