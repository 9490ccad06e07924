use std::error::Error as _;

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection},
    http::request::Parts,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use url::form_urlencoded;

use crate::{Problem, wording};

/// A JSON body. Refuses with 413, 415, 400 (not JSON: line and column) or 422 (not what was asked for: JSON pointer),
/// and never repeats a value that came in.
#[derive(Debug, Clone, Copy)]
pub struct ValidJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ValidJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::blank(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
            )
            .detail("the body must be application/json"));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| unreadable_body(&rejection))?;
        parse(&body).map(Self)
    }
}

/// The query string. Refuses with 400, naming the parameter.
#[derive(Debug, Clone, Copy)]
pub struct ValidQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ValidQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query));
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| {
                let fault = wording::fault(error.path(), &error.inner().to_string());
                let parameter = fault.pointer.trim_start_matches('/');
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    "INVALID_PARAMETER",
                    "A query parameter is wrong",
                )
                .detail(format!("{parameter}: {}", fault.detail))
            })
    }
}

/// Parameters of the path. One that does not parse names nothing we have: 404.
#[derive(Debug, Clone, Copy)]
pub struct ValidPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ValidPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value))
            .map_err(|_| Problem::not_found())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| refuse(error.path(), error.inner()))?;
    // Nothing but white space may follow.
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn refuse(path: &serde_path_to_error::Path, error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return malformed(error);
    }
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let fault = wording::fault(path, message.strip_suffix(&place).unwrap_or(&message));
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "VALIDATION_FAILED",
        "The request body is not what this endpoint takes",
    )
    .pointer_detail(fault.pointer, fault.detail)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "MALFORMED_JSON",
        "The request body is not JSON",
    )
    .detail(format!(
        "at line {} column {}",
        error.line(),
        error.column()
    ))
}

fn unreadable_body(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::blank(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE");
    }
    tracing::debug!(cause = rejection.source(), "request body broke off");
    Problem::blank(StatusCode::BAD_REQUEST, "UNREADABLE_BODY")
        .detail("the body could not be read to its end")
}
