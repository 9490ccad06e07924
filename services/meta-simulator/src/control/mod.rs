//! The control API under `/_sim/`: HTTP over what [`Simulator`] can do.
//! Holds no state and decides nothing.

mod accounts;
mod observe;

use axum::{
    Json, Router,
    extract::{FromRequest, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post},
};
use serde_json::{Value, json};

use crate::simulator::Simulator;

pub(crate) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/reset", post(observe::reset))
        .route("/apps", post(accounts::app))
        .route("/businesses", post(accounts::business))
        .route("/numbers", post(accounts::number))
        .route("/numbers/{id}", patch(accounts::change_number))
        .route("/tokens", post(accounts::token))
        .route("/tokens/expire", post(accounts::expire_token))
        .route("/tokens/repair", post(accounts::repair_token))
        .route("/templates", post(accounts::template))
        .route("/templates/{id}/status", post(accounts::template_status))
        .route("/recipients", post(accounts::recipient))
        .route("/webhooks", post(accounts::webhook))
        .route(
            "/faults",
            get(observe::faults)
                .post(observe::add_fault)
                .delete(observe::clear_faults),
        )
        .route("/faults/{id}", delete(observe::remove_fault))
        .route("/ledger", get(observe::ledger))
        .route("/inbound", post(observe::inbound))
        .route("/patients", get(observe::patients))
        .route("/conversations", get(observe::conversations))
        .route(
            "/conversations/{number}/{phone}",
            get(observe::conversation),
        )
        .route(
            "/conversations/{number}/{phone}/open",
            post(observe::open_chat),
        )
        .route(
            "/conversations/{number}/{phone}/window",
            post(observe::open_window),
        )
        .route("/media/{id}", get(observe::media))
        .fallback(async || Refusal::not_found("no such control"))
}

/// The control API's own errors; the Graph API's look different.
struct Refusal(StatusCode, String);

impl Refusal {
    fn not_found(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, what.to_owned())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

/// JSON in, with errors that say what is wrong in JSON too.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Refusal))]
struct Body<T>(T);

fn done() -> Json<Value> {
    Json(json!({ "success": true }))
}

fn found(found: bool, what: &str) -> Result<Json<Value>, Refusal> {
    if found {
        Ok(done())
    } else {
        Err(Refusal::not_found(what))
    }
}
