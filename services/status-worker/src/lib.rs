//! Consumes raw webhook events: statuses, inbound messages, template updates. Owns the meaning of `event` work.
//! Must not know how events came in, nor how messages are sent.

mod config;
mod handler;
mod inbound;
mod metrics;
mod retention;
mod statuses;
mod templates;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use dispatch::{Deps, Engine};
use domain::Clock;
use queue::Broker;
use sealed_records::DataKeys;
use secrecy::ExposeSecret;
use service_runtime::{Lifecycle, config::PostgresConfig};
use storage::Database;
use vault::KeyRing;

pub use config::{Config, EventsConfig, RetentionConfig};
pub use handler::{EventHandler, Reading};
pub use retention::maintain;

/// Spawns the service's tasks into the lifecycle; they run until it stops.
pub fn run(config: &Config, broker: Broker, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let ready = lifecycle.ready("database");
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
    let deps = Deps {
        database: database.clone(),
        broker,
        clock: Arc::clone(&clock),
    };
    let engine = Engine::new(EventHandler::new(keys), deps, config.engine());
    let heartbeat = lifecycle.heartbeat("release", Duration::from_mins(1));
    lifecycle.spawn(
        "engine",
        engine.run(
            lifecycle.soft().clone(),
            lifecycle.hard().clone(),
            move || heartbeat.beat(),
        ),
    );
    lifecycle.spawn(
        "retention",
        retention::run(
            database.clone(),
            clock,
            config.retention.clone(),
            lifecycle.soft().clone(),
        ),
    );
    lifecycle.spawn("database", async move {
        database.until_reachable().await;
        ready.set();
    });
    Ok(())
}
