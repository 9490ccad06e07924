//! The operator's port: `/live` (do the loops turn), `/ready` (may traffic come), `/metrics`.
//! Knows nothing of what is measured or served.

use std::{future::IntoFuture as _, io};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use crate::Lifecycle;

#[derive(Clone)]
struct Admin {
    lifecycle: Lifecycle,
    metrics: PrometheusHandle,
}

/// The three endpoints.
pub fn router(lifecycle: Lifecycle, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(render))
        .with_state(Admin { lifecycle, metrics })
}

/// Serves until dropped: an operator may want to look while the process drains.
pub async fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    axum::serve(listener, router).into_future().await
}

async fn live(State(admin): State<Admin>) -> Response {
    verdict("stuck", &admin.lifecycle.stale_loops())
}

async fn ready(State(admin): State<Admin>) -> Response {
    verdict("not ready", &admin.lifecycle.not_ready())
}

async fn render(State(admin): State<Admin>) -> Response {
    let format = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (format, admin.metrics.render()).into_response()
}

fn verdict(complaint: &str, names: &[&str]) -> Response {
    if names.is_empty() {
        return "ok\n".into_response();
    }
    let body = format!("{complaint}: {}\n", names.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}
