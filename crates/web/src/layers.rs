use std::time::Duration;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use http::StatusCode;

use crate::{Problem, context::with_context, guard::with_guard};

/// What a request may cost. A route that takes more has a `DefaultBodyLimit` of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub body_bytes: usize,
    pub request_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            request_timeout: Duration::from_secs(15),
        }
    }
}

/// The router with everything that all services have: request id and trace, metrics, panics and timeouts as problems,
/// a body limit, and problems for unknown paths and methods. To be called last, on the complete router.
pub fn layered(router: Router, limits: Limits) -> Router {
    router
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async {
            Problem::blank(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED")
        })
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(from_fn_with_state(limits.request_timeout, with_guard))
        .layer(from_fn(with_context))
}
