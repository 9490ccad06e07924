//! Every service in one process: one broker, one lifecycle, each service as its own database role.

use anyhow::{Context, anyhow};
use queue::{Broker, RabbitConfig};
use secrecy::{ExposeSecret, SecretString};
use service_runtime::{
    Lifecycle,
    config::{AmqpConfig, PostgresConfig},
    settings,
};
use tokio::net::TcpListener;
use url::Url;

settings! {
    /// The database roles of the services, when one process runs them all.
    pub struct RolesConfig in "roles" {
        /// Database URL of the gateway's role. Absent: the database's URL with the user `labwire_gateway`.
        gateway_url: Option<SecretString> = optional,
        /// Database URL of the ingest's role. Absent: the database's URL with the user `labwire_ingest`.
        ingest_url: Option<SecretString> = optional,
        /// Database URL of the workers' role. Absent: the database's URL with the user `labwire_worker`.
        worker_url: Option<SecretString> = optional,
    }
}

settings! {
    /// Everything that all the services are told.
    pub struct Config {
        roles: RolesConfig,
        postgres: PostgresConfig,
        amqp: AmqpConfig,
        api_gateway: api_gateway::Config,
        webhook_ingest: webhook_ingest::Config,
        sender: sender::Config,
        status_worker: status_worker::Config,
        callback_worker: callback_worker::Config,
    }
}

/// The sockets that the services listen on.
pub struct Listeners {
    pub api: TcpListener,
    pub webhook: TcpListener,
}

/// Listens where the configuration says, and runs until the lifecycle stops.
pub async fn run(config: Config, lifecycle: Lifecycle) -> anyhow::Result<()> {
    let listeners = Listeners {
        api: service_runtime::listener(config.api_gateway.http.listen).await?,
        webhook: service_runtime::listener(config.webhook_ingest.http.listen).await?,
    };
    tracing::info!(api = %listeners.api.local_addr()?, webhooks = %listeners.webhook.local_addr()?, "listening");
    let broker = broker(&config.amqp).await?;
    serve(config, broker, listeners, lifecycle).await
}

/// The same on sockets and a broker of the caller's.
pub async fn serve(
    mut config: Config,
    broker: Broker,
    listeners: Listeners,
    lifecycle: Lifecycle,
) -> anyhow::Result<()> {
    let roles = config.roles.clone();
    let base = config.postgres.url.clone();
    config.api_gateway.postgres.url = role_url(&base, roles.gateway_url, "labwire_gateway")?;
    config.webhook_ingest.postgres.url = role_url(&base, roles.ingest_url, "labwire_ingest")?;
    let worker = role_url(&base, roles.worker_url, "labwire_worker")?;
    config.sender.postgres.url = worker.clone();
    config.status_worker.postgres.url = worker.clone();
    config.callback_worker.postgres.url = worker;
    sender::run(&config.sender, broker.clone(), &lifecycle)?;
    status_worker::run(&config.status_worker, broker.clone(), &lifecycle)?;
    callback_worker::run(&config.callback_worker, broker.clone(), &lifecycle)?;
    webhook_ingest::serve(
        &config.webhook_ingest,
        broker,
        listeners.webhook,
        &lifecycle,
    )?;
    api_gateway::serve(config.api_gateway, listeners.api, lifecycle).await
}

async fn broker(config: &AmqpConfig) -> anyhow::Result<Broker> {
    Ok(match &config.url {
        Some(url) => {
            let rabbitmq = RabbitConfig::new(url.expose_secret(), "labwire")?;
            Broker::rabbitmq(rabbitmq.publish_timeout(config.publish_timeout)).await
        }
        None => Broker::in_process(),
    })
}

/// The database's URL as another role; without a password, for authentication by trust, peer or certificate.
fn role_url(
    base: &SecretString,
    given: Option<SecretString>,
    role: &str,
) -> anyhow::Result<SecretString> {
    if let Some(given) = given {
        return Ok(given);
    }
    let mut url: Url = base
        .expose_secret()
        .parse()
        .context("LABWIRE_POSTGRES__URL is not a URL")?;
    url.set_username(role)
        .map_err(|()| anyhow!("LABWIRE_POSTGRES__URL names no host"))?;
    Ok(SecretString::from(url.to_string()))
}
