use std::{net::SocketAddr, time::Duration};

use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::ConfigValue;
use crate::settings;

settings! {
    /// The database.
    pub struct PostgresConfig in "postgres" {
        /// Connection URL, such as `postgres://user:password@host/database`.
        url: SecretString = required,
        /// Connections that one process may hold.
        max_connections: u32 = 16,
        /// How long a request may wait for a connection.
        acquire_timeout: Duration = "5s",
    }
}

settings! {
    /// The broker.
    pub struct AmqpConfig in "amqp" {
        /// Connection URL, such as `amqp://user:password@host/vhost`. Absent: the broker inside the process.
        url: Option<SecretString> = optional,
        /// How long a publish may wait for its confirm.
        publish_timeout: Duration = "5s",
    }
}

settings! {
    /// How work is handed out to replicas.
    pub struct EngineConfig in "engine" {
        /// How much a replica has under way when it keeps no more of its share for itself: beyond that, work goes to whoever is
        /// free, by the broker, or waits if there is no other replica. 0: all of it goes by the broker.
        keeps: usize = 256,
        /// How long released work waits to be claimed before it is released again.
        release_lease: Duration = "5s",
        /// How long a replica owns its share of the work without renewing.
        partition_lease: Duration = "6s",
        /// How often a replica looks for work by itself, should a signal be lost.
        poll: Duration = "1s",
        /// How long the database may keep the engine waiting before it is asked anew.
        store_timeout: Duration = "15s",
    }
}

settings! {
    /// Keys that data at rest is encrypted under.
    pub struct VaultConfig in "vault" {
        /// Master keys as `id:base64`, separated by commas; the first one seals, all of them open.
        master_keys: SecretString = required,
        /// Key of the blind indexes, as base64. It cannot be rotated without building the indexes anew.
        index_key: SecretString = required,
    }
}

settings! {
    /// Where report files are kept.
    pub struct AttachmentsConfig in "attachments" {
        /// `file:///directory` or `s3://bucket/prefix`.
        url: Url = required,
        /// Endpoint of an S3 that is not AWS.
        s3_endpoint: Option<Url> = optional,
        /// Region of the bucket.
        s3_region: Option<String> = optional,
        /// Access key.
        s3_access_key_id: Option<String> = optional,
        /// Secret of the access key.
        s3_secret_access_key: Option<SecretString> = optional,
        /// Whether the endpoint may be spoken to without TLS.
        s3_allow_http: bool = false,
    }
}

settings! {
    /// A public HTTP port.
    pub struct HttpConfig in "http" {
        /// Address to listen on; port 0 takes a free one.
        listen: SocketAddr = "127.0.0.1:8080",
    }
}

settings! {
    /// The port of `/live`, `/ready` and `/metrics`.
    pub struct AdminConfig in "admin" {
        /// Address to listen on; port 0 takes a free one, which the log tells.
        listen: SocketAddr = "127.0.0.1:0",
    }
}

settings! {
    /// How the process ends.
    pub struct DrainConfig in "drain" {
        /// How long work under way may take to finish after SIGTERM.
        timeout: Duration = "20s",
    }
}

settings! {
    /// Logs.
    pub struct TelemetryConfig in "telemetry" {
        /// `text` for people, `json` for collectors.
        log_format: LogFormat = "text",
        /// Level, or directives such as `info,storage=debug`. The AMQP library logs message bodies at `warn`: keep it at `error`.
        log_level: LogFilter = "info,lapin=error",
    }
}

settings! {
    /// What [`start`](crate::start) reads for every service, beside the service's own configuration.
    pub struct RuntimeConfig {
        telemetry: TelemetryConfig,
        admin: AdminConfig,
        drain: DrainConfig,
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl ConfigValue for LogFormat {
    const KIND: &'static str = "`text` or `json`";
    const EXPECTED: &'static str = "text or json";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Directives that [`EnvFilter`] has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    pub fn to_env_filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl ConfigValue for LogFilter {
    const KIND: &'static str = "level";
    const EXPECTED: &'static str = "a level like info, or directives like info,storage=debug";

    fn parse(text: &str) -> Option<Self> {
        EnvFilter::try_new(text).ok()?;
        Some(Self(text.to_owned()))
    }
}
