use std::time::Duration;

use service_runtime::{
    config::{AmqpConfig, ByteSize, HttpConfig, PostgresConfig, VaultConfig},
    settings,
};

settings! {
    /// How webhooks are taken.
    pub struct IngestConfig in "ingest" {
        /// Largest webhook taken. Meta sends up to 3 MB.
        max_body: ByteSize = "3MiB",
        /// How long a webhook may wait to become durable before it is answered 503.
        commit_timeout: Duration = "5s",
        /// Webhooks that share a transaction at most.
        max_batch: u32 = 256,
        /// How long a published event may wait to be claimed before it is released anew.
        release_lease: Duration = "5s",
    }
}

settings! {
    /// Everything the webhook ingest is told.
    pub struct Config {
        http: HttpConfig = "webhook",
        postgres: PostgresConfig,
        amqp: AmqpConfig,
        vault: VaultConfig,
        ingest: IngestConfig,
    }
}
