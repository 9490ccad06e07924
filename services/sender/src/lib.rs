//! Releases due sends at each number's rate, consumes them, calls the provider, records the outcome.
//! Owns the meaning of `send` work; must not know webhooks or the LIMS.

mod accounts;
mod compose;
mod config;
mod doubt;
mod effect;
mod expiry;
mod handler;
mod job;
mod media;
mod metrics;
mod send;
mod verdict;
mod watch;

use std::sync::Arc;

use anyhow::Context;
use attachments::AttachmentStore;
use dispatch::{Deps, Engine};
use queue::Broker;
use sealed_records::DataKeys;
use secrecy::ExposeSecret;
use service_runtime::{
    Lifecycle,
    config::PostgresConfig,
    http_client::{self, Timeouts},
};
use storage::Database;
use vault::KeyRing;

pub use config::{Config, GraphConfig, SenderConfig};
pub use expiry::expire;
pub use handler::{SendHandler, SendSettings};
pub use verdict::Pauses;
pub use watch::measure;

/// Spawns the service's tasks into the lifecycle; they run until it stops.
pub fn run(config: &Config, broker: Broker, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let ready = lifecycle.ready("database");
    let PostgresConfig {
        url,
        max_connections,
        acquire_timeout,
    } = &config.postgres;
    let database = Database::connect(url.expose_secret(), *max_connections, *acquire_timeout)?;
    let clock: Arc<dyn domain::Clock> = Arc::new(database.clock());
    let ring =
        KeyRing::parse(&config.vault.master_keys, &config.vault.index_key).context("vault")?;
    let keys = DataKeys::new(database.clone(), ring, Arc::clone(&clock));
    let files = AttachmentStore::from_url(&config.attachments.url, &config.s3_options())
        .context("attachments")?;
    let timeouts = Timeouts {
        total: config.graph.timeout,
        read: config.graph.timeout,
        ..Timeouts::default()
    };
    let http = http_client::new(timeouts, "Labwire/1.0")
        .build()
        .context("http client")?;
    let provider = providers::meta::MetaClient::new(
        http,
        config.graph.base_url.clone(),
        config.graph.version.clone(),
    );
    let deps = Deps {
        database: database.clone(),
        broker,
        clock: Arc::clone(&clock),
    };
    let handler = SendHandler::new(
        deps.clone(),
        keys,
        files,
        provider,
        SendSettings::from(&config.sender),
    );
    let engine = Engine::new(handler, deps, config.engine());
    let heartbeat = lifecycle.heartbeat("release", std::time::Duration::from_mins(1));
    let run = engine.run(
        lifecycle.soft().clone(),
        lifecycle.hard().clone(),
        move || heartbeat.beat(),
    );
    lifecycle.spawn("engine", run);
    lifecycle.spawn(
        "expiry",
        expiry::run(
            database.clone(),
            Arc::clone(&clock),
            config.sender.expiry_interval,
            lifecycle.soft().clone(),
        ),
    );
    lifecycle.spawn(
        "watch",
        watch::run(
            database.clone(),
            clock,
            config.sender.watch_interval,
            lifecycle.soft().clone(),
        ),
    );
    lifecycle.spawn("database", async move {
        database.until_reachable().await;
        ready.set();
    });
    Ok(())
}
