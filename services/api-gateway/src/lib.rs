//! The API for the LIMS: authenticate, validate, persist, 202; the read side; a little administration.
//! Must not know the broker, nor how messages are sent.

mod accept;
mod auth;
mod callback_url;
mod config;
mod error;
mod gateway;
mod health;
mod memory;
mod metrics;
mod recent;
mod registration;
mod report;
mod routes;

use std::sync::Arc;

use anyhow::Context as _;
use domain::PhoneNumber;
use gateway::Gateway;
use service_runtime::{Lifecycle, Ready};
use storage::Database;
use tokio::net::TcpListener;

pub use config::{CallbacksConfig, Config, GatewayConfig};

/// Listens where the configuration says and serves until the lifecycle stops.
pub async fn run(config: Config, lifecycle: Lifecycle) -> anyhow::Result<()> {
    let listener = service_runtime::listener(config.http.listen).await?;
    serve(config, listener, lifecycle).await
}

/// The same on a socket that the caller has opened. Returns when all is running.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    lifecycle: Lifecycle,
) -> anyhow::Result<()> {
    let ready = lifecycle.ready("database");
    metrics::describe();
    tokio::task::spawn_blocking(PhoneNumber::warm)
        .await
        .context("number plans")?;
    let address = listener.local_addr()?;
    let gateway = Arc::new(Gateway::new(&config, lifecycle.clone())?);
    let database = gateway.database.clone();
    lifecycle.spawn("database", announce(database, ready, lifecycle.clone()));
    let router = routes::router(gateway, config.gateway.request_timeout);
    lifecycle.spawn("http", web::serve(listener, router, lifecycle.draining()));
    tracing::info!(%address, "api-gateway listens on {address}");
    Ok(())
}

/// Ready for good once the database has answered: later absences are told request by request.
async fn announce(database: Database, ready: Ready, lifecycle: Lifecycle) {
    tokio::select! {
        () = database.until_reachable() => ready.set(),
        () = lifecycle.draining() => {}
    }
}
