use std::sync::Arc;

use axum::{Json, extract::State, response::IntoResponse};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Serialize;

use crate::gateway::Gateway;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    timestamp: DateTime<Utc>,
    services: Services,
}

#[derive(Serialize)]
struct Services {
    database: &'static str,
    file_storage: &'static str,
}

pub(super) async fn health(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    let findings = gateway.health.check().await;
    let healthy = findings.database && findings.file_storage;
    let status = if healthy {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = Health {
        status: word(healthy),
        timestamp: gateway.now(),
        services: Services {
            database: word(findings.database),
            file_storage: word(findings.file_storage),
        },
    };
    (status, Json(body))
}

const fn word(healthy: bool) -> &'static str {
    if healthy { "healthy" } else { "unhealthy" }
}
