use std::time::Duration;

use domain::Backoff;

/// How an engine runs; the defaults suit a service of its own.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long a released row waits to be claimed before it is released again.
    pub release_lease: Duration,
    /// How long a claim lives: longer than acting ever takes.
    pub claim_lease: Duration,
    /// How long a replica owns its partitions without renewing.
    pub partition_lease: Duration,
    /// How often it looks for itself, should a signal be lost; and for leases that are over.
    pub poll: Duration,
    /// How long the store may take to answer before it is asked anew: a connection can fall silent without a word.
    pub store_timeout: Duration,
    /// How many claims a process has under way when it keeps no more of what it releases: beyond that, work goes to whoever is
    /// free, by the broker, or waits if there is nobody else. 0: all of it goes by the broker.
    pub keeps: usize,
    /// How much of a releaser's partitions lies ready at a time for whoever is free.
    pub lends: u32,
    /// How many work rows one broker message names at most.
    pub hint_size: usize,
    /// How many broker messages a consumer holds at most; with `hint_size`, its concurrency.
    pub prefetch: u16,
    /// How many outcomes share a transaction at most.
    pub record_batch: usize,
    /// How long work rests whose outcome could not be recorded, by how often it has failed.
    pub record_backoff: Backoff,
    /// Failures after which such work is given up.
    pub max_record_failures: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            release_lease: Duration::from_secs(5),
            claim_lease: Duration::from_mins(1),
            partition_lease: Duration::from_secs(6),
            poll: Duration::from_secs(1),
            store_timeout: Duration::from_secs(15),
            keeps: 256,
            lends: 256,
            hint_size: 16,
            prefetch: 16,
            record_batch: 256,
            record_backoff: Backoff {
                first: Duration::from_millis(500),
                factor: 3.0,
                longest: Duration::from_mins(5),
            },
            max_record_failures: 5,
        }
    }
}
