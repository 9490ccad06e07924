use std::{num::NonZeroU32, time::Duration};

use dispatch::Settings;
use domain::RetrySchedule;
use service_runtime::{
    config::{AmqpConfig, ConfigValue, EngineConfig, PostgresConfig, VaultConfig},
    settings,
};

use crate::AddressPolicy;

settings! {
    /// How callbacks are delivered.
    pub struct CallbacksConfig in "callbacks" {
        /// How long an endpoint may take to answer.
        timeout: Duration = "15s",
        /// How long a claimed callback lives: longer than an endpoint may take to answer.
        claim_lease: Duration = "75s",
        /// Callbacks under way to one endpoint at a time.
        window: NonZeroU32 = 8,
        /// Whether endpoints on this machine are allowed, also without TLS: for development.
        allow_loopback: bool = false,
        /// Waits after failed attempts, separated by commas, in place of the standard ones: for development.
        schedule: Option<Schedule> = optional,
    }
}

settings! {
    /// Everything the callback worker is told.
    pub struct Config {
        postgres: PostgresConfig,
        amqp: AmqpConfig,
        vault: VaultConfig,
        engine: EngineConfig,
        callbacks: CallbacksConfig,
    }
}

/// A retry schedule as it is written in the configuration: `5s,5m,30m`.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule(RetrySchedule);

impl ConfigValue for Schedule {
    const KIND: &'static str = "durations";
    const EXPECTED: &'static str = "durations like 5s,5m,30m, each longer than zero";

    fn parse(text: &str) -> Option<Self> {
        let steps: Option<Vec<Duration>> = text
            .split(',')
            .map(|step| <Duration as ConfigValue>::parse(step.trim()))
            .collect();
        RetrySchedule::steps(steps?).ok().map(Self)
    }
}

impl CallbacksConfig {
    pub(crate) fn retries(&self) -> RetrySchedule {
        self.schedule
            .as_ref()
            .map_or_else(RetrySchedule::callbacks, |Schedule(steps)| steps.clone())
    }

    pub(crate) fn addresses(&self) -> AddressPolicy {
        AddressPolicy {
            allow_loopback: self.allow_loopback,
        }
    }
}

impl Config {
    pub(crate) fn engine(&self) -> Settings {
        Settings {
            claim_lease: self.callbacks.claim_lease,
            keeps: self.engine.keeps,
            release_lease: self.engine.release_lease,
            partition_lease: self.engine.partition_lease,
            poll: self.engine.poll,
            store_timeout: self.engine.store_timeout,
            // Endpoints that never answer hold what they were released for as long as the timeout: there must be room
            // for the others beside many of them.
            prefetch: 256,
            ..Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_from_durations() {
        let seconds = |seconds| Duration::from_secs(seconds);
        let steps = RetrySchedule::steps(vec![seconds(5), seconds(300)]).unwrap();
        assert_eq!(Schedule::parse("5s, 5m"), Some(Schedule(steps)));
        for wrong in ["", "5s,", "0s", "soon"] {
            assert_eq!(Schedule::parse(wrong), None, "{wrong}");
        }
    }
}
