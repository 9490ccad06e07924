use std::{convert::Infallible, time::Instant};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request},
    http::request::Parts,
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{Problem, TraceContext, metrics};

/// The header that names a request, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_LENGTH: usize = 128;
const SENSITIVE: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
];

/// The name of a request: the client's, if it is harmless, else ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    fn of_request(headers: &HeaderMap) -> Self {
        let given = headers
            .get(REQUEST_ID)
            .filter(|value| is_harmless(value.as_bytes()));
        Self(given.cloned().unwrap_or_else(|| {
            HeaderValue::try_from(Uuid::now_v7().to_string()).expect("a UUID is ASCII")
        }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let id = parts.extensions.get::<Self>().cloned();
        Ok(id.unwrap_or_else(|| Self::of_request(&parts.headers)))
    }
}

// It goes into logs and headers, so what could break a line or pass for markup is not taken.
fn is_harmless(id: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(allowed)
}

/// Gives the request its name, its trace, its span and its metrics; gives problems the name of their request.
pub(crate) async fn with_context(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of_request(request.headers());
    let trace = TraceContext::of_request(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = metrics::method_label(request.method());
    let span = tracing::info_span!(
        "request",
        request_id = id.as_str(),
        trace_id = trace.trace_id(),
        method,
        route
    );
    for name in SENSITIVE {
        if let Some(value) = request.headers_mut().get_mut(name) {
            value.set_sensitive(true);
        }
    }
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(trace);

    let mut response = next.run(request).instrument(span.clone()).await;

    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = problem.body(Some(id.as_str()));
    }
    response.headers_mut().insert(REQUEST_ID, id.0);
    let (status, elapsed) = (response.status(), started.elapsed());
    metrics::record(route, method, status, elapsed);
    span.in_scope(|| tracing::debug!(status = status.as_u16(), ?elapsed, "answered {status}"));
    response
}
