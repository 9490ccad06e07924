use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An error as a client sees it (RFC 9457). `code` is part of the API: clients act on it.
///
/// A 5xx says no more than code, title and request id, whatever it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    has_type: bool,
    detail: Option<Cow<'static, str>>,
    errors: Vec<Violation>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Violation {
    pointer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'static, str>>,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Violation],
}

impl Problem {
    /// A problem of a type of its own: `urn:labwire:problem:<code>`.
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            title,
            has_type: true,
            detail: None,
            errors: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// A problem that its status says all about: `about:blank`.
    pub fn blank(status: StatusCode, code: &'static str) -> Self {
        let mut problem = Self::new(status, code, status.canonical_reason().unwrap_or("Error"));
        problem.0.has_type = false;
        problem
    }

    /// No valid credential came with the request. The same for an absent and for an unknown one.
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED_ACCESS",
            "A valid API key is required",
        )
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// There is no such thing, or it is not the caller's.
    pub fn not_found() -> Self {
        Self::blank(StatusCode::NOT_FOUND, "NOT_FOUND")
    }

    /// Our fault. The cause belongs in the log.
    pub fn internal() -> Self {
        Self::blank(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
    }

    /// Not now: the client is to try again.
    pub fn unavailable(retry_after: Duration) -> Self {
        Self::blank(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE").retry_after(retry_after)
    }

    /// What is wrong this time. Must hold no patient data.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Where in the request body it is wrong, as a JSON pointer (RFC 6901). May be called for each place.
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.0.errors.push(Violation {
            pointer: pointer.into(),
            detail: None,
        });
        self
    }

    /// Where it is wrong, and what is wrong there.
    #[must_use]
    pub fn pointer_detail(
        mut self,
        pointer: impl Into<String>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.0.errors.push(Violation {
            pointer: pointer.into(),
            detail: Some(detail.into()),
        });
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// When to try again, in whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(self, after: Duration) -> Self {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    pub fn code(&self) -> &'static str {
        self.0.code
    }

    pub(crate) fn body(&self, request_id: Option<&str>) -> Body {
        let Inner {
            status,
            code,
            title,
            ..
        } = *self.0;
        let tells = !status.is_server_error();
        let r#type = if self.0.has_type {
            format!("urn:labwire:problem:{}", code.to_ascii_lowercase())
        } else {
            "about:blank".to_owned()
        };
        let body = ProblemBody {
            r#type,
            title,
            status: status.as_u16(),
            code,
            detail: self.0.detail.as_deref().filter(|_| tells),
            request_id,
            errors: if tells { &self.0.errors } else { &[] },
        };
        serde_json::to_vec(&body)
            .expect("strings and numbers are JSON")
            .into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body(None));
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
        headers.extend(self.0.headers.iter().cloned());
        // The request context writes the body again, with the request id.
        response.extensions_mut().insert(self);
        response
    }
}
