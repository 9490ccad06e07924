//! Verifies the provider's webhooks, persists them byte for byte, publishes, answers 200. Knows nothing of delivery.

mod apps;
mod config;
mod error;
mod metrics;
mod routes;
mod signature;
mod store;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use domain::Clock;
use queue::Broker;
use sealed_records::DataKeys;
use secrecy::ExposeSecret;
use service_runtime::{Lifecycle, config::PostgresConfig};
use storage::Database;
use tokio::net::TcpListener;
use vault::KeyRing;

use crate::{apps::Apps, store::EventStore};

pub use config::{Config, IngestConfig};
pub use routes::router;
pub use signature::is_signed;

/// What the routes work with.
#[derive(Clone)]
pub struct Ingest {
    pub(crate) apps: Arc<Apps>,
    pub(crate) events: EventStore,
    pub(crate) keys: DataKeys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) patience: Duration,
}

/// Listens where the configuration says, and runs until the lifecycle stops.
pub async fn run(config: Config, broker: Broker, lifecycle: Lifecycle) -> anyhow::Result<()> {
    let listener = service_runtime::listener(config.http.listen).await?;
    serve(&config, broker, listener, &lifecycle)
}

/// The same on a socket of the caller's.
pub fn serve(
    config: &Config,
    broker: Broker,
    listener: TcpListener,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let ready = lifecycle.ready("database");
    metrics::describe();
    let PostgresConfig {
        url,
        max_connections,
        acquire_timeout,
    } = &config.postgres;
    let database = Database::connect(url.expose_secret(), *max_connections, *acquire_timeout)?;
    let clock: Arc<dyn Clock> = Arc::new(database.clock());
    let ring =
        KeyRing::parse(&config.vault.master_keys, &config.vault.index_key).context("vault")?;
    let keys = DataKeys::new(database.clone(), ring, Arc::clone(&clock));
    let (events, commit, publish) =
        EventStore::new(database.clone(), broker, Arc::clone(&clock), &config.ingest);
    lifecycle.spawn("commit", commit);
    lifecycle.spawn("publish", publish);
    let apps = Arc::new(Apps::new(
        database.clone(),
        keys.clone(),
        Arc::clone(&clock),
    ));
    let ingest = Ingest {
        apps,
        events,
        keys,
        clock,
        patience: config.ingest.commit_timeout,
    };
    let app = router(ingest, &config.ingest);
    lifecycle.spawn("http", web::serve(listener, app, lifecycle.draining()));
    lifecycle.spawn("database", async move {
        database.until_reachable().await;
        ready.set();
    });
    Ok(())
}
