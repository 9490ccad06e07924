use std::{io, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::stream::{StreamExt as _, once};
use serde_json::Value;
use tokio::time::sleep;

/// What a proxy says that has lost the API behind it.
const PAGE: &str = "<html><body><h1>Sorry, something went wrong.</h1></body></html>";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A status with somebody else's page.
pub(super) fn page(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, [(CONTENT_TYPE, "text/html")], PAGE).into_response()
}

/// 200, and JSON that ends too soon.
pub(super) fn garbage(answer: &Value) -> Response {
    ([(CONTENT_TYPE, JSON)], first_half(answer)).into_response()
}

/// The head and half of the body; then nothing for so long, and the connection is closed.
pub(super) fn half(answer: &Value, hang: Duration) -> Response {
    let begun = first_half(answer);
    let body = once(async move { Ok(begun) }).chain(once(async move {
        sleep(hang).await;
        Err(io::Error::from(io::ErrorKind::TimedOut))
    }));
    ([(CONTENT_TYPE, JSON)], Body::from_stream(body)).into_response()
}

fn first_half(answer: &Value) -> Bytes {
    let whole = Bytes::from(answer.to_string());
    whole.slice(..whole.len() / 2)
}
