use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use web::Problem;

/// How soon a sender of webhooks may try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a webhook was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("there is no such app")]
    UnknownApp,
    #[error("the signature is missing or wrong")]
    BadSignature,
    #[error("the verify token is wrong")]
    BadVerifyToken,
    #[error("the webhook is larger than this endpoint takes")]
    TooLarge,
    #[error("the body could not be read")]
    Unreadable,
    #[error("an app's secrets could not be had")]
    Secrets(#[from] sealed_records::Error),
    #[error("the event could not be stored")]
    Store(#[from] storage::Error),
}

impl ApiError {
    /// What the metrics call it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::UnknownApp => "unknown_app",
            Self::BadSignature => "bad_signature",
            Self::BadVerifyToken => "bad_verify_token",
            Self::TooLarge => "too_large",
            Self::Unreadable => "unreadable",
            Self::Secrets(_) | Self::Store(_) => "not_stored",
        }
    }
}

// Nothing of the request is echoed: a forger learns only that it did not work.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::UnknownApp => Problem::not_found(),
            Self::BadSignature => Problem::new(
                StatusCode::UNAUTHORIZED,
                "INVALID_SIGNATURE",
                "The signature is missing or wrong",
            ),
            Self::BadVerifyToken => Problem::new(
                StatusCode::FORBIDDEN,
                "INVALID_VERIFY_TOKEN",
                "The verify token is wrong",
            ),
            Self::TooLarge => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "WEBHOOK_TOO_LARGE",
                "The webhook is too large",
            ),
            Self::Unreadable => Problem::new(
                StatusCode::BAD_REQUEST,
                "UNREADABLE_BODY",
                "The body could not be read",
            ),
            Self::Secrets(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an app's secrets could not be had"
                );
                Problem::unavailable(RETRY_AFTER)
            }
            Self::Store(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a webhook could not be stored"
                );
                Problem::unavailable(RETRY_AFTER)
            }
        }
        .into_response()
    }
}
