//! What can be asked of the gateway, one file for each resource.
//! Must not know SQL; what a report must be is in `report`.

mod callbacks;
mod credentials;
mod dead_letters;
mod health;
mod history;
mod labs;
mod message_status;
mod resolve;
mod send_report;
mod stats;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post, put},
};
use web::Limits;

use crate::{gateway::Gateway, report::body_limit};

pub(crate) fn router(gateway: Arc<Gateway>, request_timeout: Duration) -> Router {
    let report_bytes = usize::try_from(body_limit(gateway.max_file_bytes)).unwrap_or(usize::MAX);
    let send_report = post(send_report::send_report).layer(DefaultBodyLimit::max(report_bytes));
    let router = Router::new()
        .route("/health", get(health::health))
        .route("/api/labs/register", post(labs::register))
        .route("/api/labs/{id}/stats", get(stats::stats))
        .route("/api/labs/{id}/credential", put(credentials::replace))
        .route("/api/labs/{id}/callback", put(callbacks::replace))
        .route("/api/labs/{id}/dead-letters", get(dead_letters::list))
        .route(
            "/api/labs/{id}/dead-letters/replay",
            post(dead_letters::replay_many),
        )
        .route(
            "/api/labs/{id}/dead-letters/{letter}",
            get(dead_letters::show).delete(dead_letters::remove),
        )
        .route(
            "/api/labs/{id}/dead-letters/{letter}/replay",
            post(dead_letters::replay_one),
        )
        .route("/api/messages/send-report", send_report)
        .route("/api/messages/{id}/history", get(history::history))
        .route("/api/messages/{id}/status", get(message_status::status))
        .route("/api/messages/{id}/resolve", post(resolve::resolve))
        .with_state(gateway);
    let limits = Limits {
        request_timeout,
        ..Limits::default()
    };
    web::layered(router, limits)
}
