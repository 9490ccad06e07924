//! Delivers callbacks to the LIMS: signed, repeated until taken, and only to public addresses.
//! Owns the meaning of `callback` work; must not know what happened to a message, nor why its tenant is told.

mod addresses;
mod config;
mod effect;
mod handler;
mod metrics;
mod poster;
mod resolver;
mod signature;

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

pub use addresses::{AddressPolicy, Forbidden};
pub use config::{CallbacksConfig, Config, Schedule};
pub use effect::{Effect, Finding};
pub use handler::{CallbackHandler, Stored};
pub use poster::Poster;
pub use resolver::SystemDns;

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
    let poster = Poster::new(
        config.callbacks.timeout,
        config.callbacks.addresses(),
        Arc::new(SystemDns),
    )
    .context("http client")?;
    let deps = Deps {
        database: database.clone(),
        broker,
        clock,
    };
    let handler = CallbackHandler::new(deps.clone(), keys, poster, &config.callbacks);
    let engine = Engine::new(handler, deps, config.engine());
    let heartbeat = lifecycle.heartbeat("release", Duration::from_mins(1));
    lifecycle.spawn(
        "engine",
        engine.run(
            lifecycle.soft().clone(),
            lifecycle.hard().clone(),
            move || heartbeat.beat(),
        ),
    );
    lifecycle.spawn("database", async move {
        database.until_reachable().await;
        ready.set();
    });
    Ok(())
}
