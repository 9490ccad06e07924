//! The endpoint that the provider calls; `<app>` names whose secret verifies.

mod meta;

use std::time::Duration;

use axum::{Router, routing::get};
use web::Limits;

use crate::{Ingest, IngestConfig};

pub fn router(ingest: Ingest, config: &IngestConfig) -> Router {
    let max_body = config.max_body.as_usize();
    let router = Router::new()
        .route(
            "/webhooks/meta/{app}",
            get(meta::verify).post(meta::receive),
        )
        .with_state(ingest);
    let limits = Limits {
        body_bytes: max_body,
        request_timeout: config.commit_timeout + Duration::from_secs(10),
    };
    web::layered(router, limits)
}
