use std::{borrow::Cow, time::Duration};

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use web::Problem;

/// When a client may try again after something we depend on was away.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The client's to mend.
    #[error("refused as {}", .0.code())]
    Refused(Problem),
    #[error("storage failed")]
    Storage(#[from] storage::Error),
    #[error("a sealed record could not be used")]
    Records(#[from] sealed_records::Error),
    #[error("the report file could not be stored")]
    Files(#[from] attachments::StorageError),
    /// It cannot be said whether the message was stored: the client asks again with the same idempotency key.
    #[error("no answer from the database about a message")]
    InDoubt(#[source] storage::Error),
    /// Nothing was stored.
    #[error("the database did not take the message")]
    NotStored,
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let unavailable = match &self {
            Self::Refused(problem) => return problem.clone().into_response(),
            Self::Storage(error) => error.is_unavailable(),
            Self::Records(error) => error.is_unavailable(),
            Self::Files(_) | Self::InDoubt(_) | Self::NotStored => true,
        };
        let error = &self as &dyn std::error::Error;
        if unavailable {
            tracing::warn!(error, "a request met something that is away");
            Problem::unavailable(RETRY_AFTER).into_response()
        } else {
            tracing::error!(error, "a request failed");
            Problem::internal().into_response()
        }
    }
}

/// A field of the body that cannot be taken.
pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "VALIDATION_FAILED",
        "The request body is not what this endpoint takes",
    )
    .pointer_detail(pointer, detail)
}

/// A parameter of the query that cannot be taken.
pub(crate) fn invalid_parameter(name: &str, detail: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "INVALID_PARAMETER",
        "A query parameter is wrong",
    )
    .detail(format!("{name}: {detail}"))
}

/// The lab has no WhatsApp number to send from.
pub(crate) fn no_sender_number() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "WHATSAPP_SESSION_NOT_FOUND",
        "This lab has no WhatsApp number to send from",
    )
}
