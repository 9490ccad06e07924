use std::time::Duration;

use service_runtime::{
    config::{AmqpConfig, PostgresConfig, VaultConfig},
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
    /// Everything the status worker is told.
    pub struct Config {
        postgres: PostgresConfig,
        amqp: AmqpConfig,
        vault: VaultConfig,
        retention: RetentionConfig,
    }
}
