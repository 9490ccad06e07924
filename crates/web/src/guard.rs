use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures::FutureExt as _;
use http::StatusCode;
use tokio::time::timeout;

use crate::Problem;

const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Answers for a handler that panics or takes too long.
pub(crate) async fn with_guard(
    State(limit): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    match AssertUnwindSafe(timeout(limit, next.run(request)))
        .catch_unwind()
        .await
    {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::warn!(?limit, "request timed out");
            Problem::blank(StatusCode::SERVICE_UNAVAILABLE, "REQUEST_TIMEOUT")
                .retry_after(RETRY_AFTER)
                .into_response()
        }
        Err(_) => {
            tracing::error!("request handler panicked");
            Problem::internal().into_response()
        }
    }
}
