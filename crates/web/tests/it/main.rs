#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod context;
mod headers;
mod json;
mod page;
mod problem;
mod server;

use axum::{
    Router,
    body::{Body, to_bytes},
    response::Response,
};
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt as _;
use web::{Limits, layered};

/// What came back, with the body as text.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

/// One request through all the layers, under a request id that snapshots can hold.
async fn send(router: Router, mut request: Request<Body>) -> Answer {
    let id = "req-1".parse().unwrap();
    request.headers_mut().entry("x-request-id").or_insert(id);
    let limits = Limits {
        body_bytes: 256,
        ..Limits::default()
    };
    let response = layered(router, limits).oneshot(request).await.unwrap();
    answer(response).await
}

async fn answer(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.into()).unwrap(),
    }
}

impl Answer {
    /// The status and the problem, as a client that reads it sees them.
    fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        format!("{}\n{body:#}", self.status)
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}
