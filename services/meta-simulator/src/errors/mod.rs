//! Graph errors in Meta's shapes: in an HTTP answer and in a webhook.

mod codes;

use std::sync::atomic::{AtomicU64, Ordering};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::json::Fields;

const REFERENCE: &str =
    "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/";

/// A refusal. Built by code; Meta's title and HTTP status are looked up.
#[derive(Clone, Debug)]
pub(crate) struct GraphError {
    pub(crate) code: u32,
    subcode: Option<u32>,
    status: u16,
    kind: &'static str,
    message: String,
    details: Option<String>,
    transient: bool,
    user_title: Option<&'static str>,
}

impl GraphError {
    pub(crate) fn new(code: u32) -> Self {
        let known = codes::look_up(code);
        Self {
            code,
            subcode: None,
            status: known.status,
            kind: "OAuthException",
            message: format!("(#{code}) {}", known.title),
            details: None,
            transient: known.transient,
            user_title: None,
        }
    }

    pub(crate) fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    pub(crate) fn subcode(mut self, subcode: u32) -> Self {
        self.subcode = Some(subcode);
        self
    }

    pub(crate) fn user_title(mut self, title: &'static str) -> Self {
        self.user_title = Some(title);
        self
    }

    /// The call lacks a top-level parameter.
    pub(crate) fn required(parameter: &str) -> Self {
        Self::new(100).message(format!("(#100) The parameter {parameter} is required."))
    }

    /// A parameter does not have the form it must have.
    pub(crate) fn invalid(details: impl Into<String>) -> Self {
        Self::new(100).details(details)
    }

    /// A field that this kind of message needs is not there.
    pub(crate) fn missing(field: &str) -> Self {
        Self::new(131_008).details(format!("Required parameter is missing: {field}"))
    }

    /// A field has a value that this kind of message cannot have.
    pub(crate) fn bad_value(details: impl Into<String>) -> Self {
        Self::new(131_009).details(details)
    }

    /// No such object, or none that this token may see: Meta does not tell which.
    pub(crate) fn unknown_object(method: &str, id: &str) -> Self {
        let mut error = Self::new(100).subcode(33).message(format!(
            "Unsupported {} request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
             permissions, or does not support this operation. Please read the Graph API documentation at \
             https://developers.facebook.com/docs/graph-api",
            method.to_lowercase()
        ));
        error.kind = "GraphMethodException";
        error
    }

    pub(crate) fn unknown_path(path: &str) -> Self {
        Self::new(2500).message(format!("Unknown path components: {path}"))
    }

    pub(crate) fn no_token() -> Self {
        Self::new(104).message("An access token is required to request this resource.")
    }

    pub(crate) fn bad_token() -> Self {
        Self::new(190).message("Invalid OAuth access token - Cannot parse access token")
    }

    pub(crate) fn expired_token() -> Self {
        Self::new(190).subcode(463).message(
            "Error validating access token: Session has expired. Please get a new access token.",
        )
    }

    fn body(&self) -> Value {
        let mut error = json!({
            "message": self.message,
            "type": self.kind,
            "code": self.code,
            "fbtrace_id": trace_id(),
        });
        if let Some(details) = &self.details {
            error.set(
                "error_data",
                json!({ "messaging_product": "whatsapp", "details": details }),
            );
        }
        if let Some(subcode) = self.subcode {
            error.set("error_subcode", json!(subcode));
        }
        if self.transient {
            error.set("is_transient", true);
        }
        if let Some(title) = self.user_title {
            error.set("error_user_title", json!(title));
            error.set("error_user_msg", json!(self.details));
        }
        json!({ "error": error })
    }
}

impl IntoResponse for GraphError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(self.body())).into_response()
    }
}

/// An element of `errors` in a webhook.
pub(crate) fn webhook_error(code: u32, details: Option<&str>) -> Value {
    let known = codes::look_up(code);
    json!({
        "code": code,
        "title": known.title,
        "message": known.title,
        "error_data": { "details": details.unwrap_or(known.details) },
        "href": REFERENCE,
    })
}

/// An id in the shape of `fbtrace_id`.
pub(crate) fn trace_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let digest = Sha256::digest(NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let id: String = BASE64_URL_SAFE_NO_PAD
        .encode(digest)
        .chars()
        .take(22)
        .collect();
    format!("A{id}")
}
