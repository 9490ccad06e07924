use std::time::Duration;

use dispatch::Settings;
use service_runtime::{
    config::{AmqpConfig, EngineConfig, PostgresConfig, VaultConfig},
    settings,
};

settings! {
    /// How long data is kept.
    pub struct RetentionConfig in "retention" {
        /// Messages, timelines, raw events and callbacks older than this are dropped, a whole month at a time; at least 31 days.
        keep: Duration = "365d",
        /// How often partitions are made ahead and old ones dropped.
        interval: Duration = "1h",
    }
}

settings! {
    /// How webhook events are read.
    pub struct EventsConfig in "events" {
        /// How long a claimed event lives: longer than reading it and writing what it says ever takes.
        claim_lease: Duration = "60s",
    }
}

settings! {
    /// Everything the status worker is told.
    pub struct Config {
        postgres: PostgresConfig,
        amqp: AmqpConfig,
        vault: VaultConfig,
        engine: EngineConfig,
        events: EventsConfig,
        retention: RetentionConfig,
    }
}

impl Config {
    pub(crate) fn engine(&self) -> Settings {
        Settings {
            claim_lease: self.events.claim_lease,
            keeps: self.engine.keeps,
            release_lease: self.engine.release_lease,
            partition_lease: self.engine.partition_lease,
            poll: self.engine.poll,
            store_timeout: self.engine.store_timeout,
            // Events are read and written in batches: few hints, each of many.
            hint_size: 64,
            prefetch: 8,
            ..Settings::default()
        }
    }
}
