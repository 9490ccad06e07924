use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Clock, SystemClock};
use sqlx::PgConnection;

/// Differences below this are the network's, not the clocks'.
const NOISE_MICROS: i64 = 100_000;
const UNKNOWN: i64 = i64::MIN;

/// The database's time, carried on by this machine's monotonic clock: replicas whose wall clocks differ still agree about
/// leases, due instants and lifetimes. Set by every new connection; until the first there is only the wall clock.
#[derive(Debug, Clone)]
pub struct DatabaseClock {
    /// Microseconds from this process's monotonic start to the database's epoch.
    offset: Arc<AtomicI64>,
}

impl DatabaseClock {
    pub(crate) fn new() -> Self {
        Self {
            offset: Arc::new(AtomicI64::new(UNKNOWN)),
        }
    }

    pub(crate) async fn synchronise(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let asked_at = SystemClock.monotonic();
        let answer: DateTime<Utc> = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
            .fetch_one(connection)
            .await?;
        self.set(answer, asked_at, SystemClock.monotonic());
        Ok(())
    }

    /// The answer was true somewhere between the question and its arrival.
    fn set(&self, answer: DateTime<Utc>, asked_at: Duration, heard_at: Duration) {
        let offset = answer.timestamp_micros() - micros((asked_at + heard_at) / 2);
        let known = self.offset.load(Ordering::Relaxed);
        if known == UNKNOWN || (offset - known).abs() > NOISE_MICROS {
            self.offset.store(offset, Ordering::Relaxed);
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> DateTime<Utc> {
        match self.offset.load(Ordering::Relaxed) {
            UNKNOWN => SystemClock.now(),
            offset => DateTime::from_timestamp_micros(micros(SystemClock.monotonic()) + offset)
                .unwrap_or_else(|| SystemClock.now()),
        }
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_database_is_right_and_this_machine_only_counts_on() {
        let clock = DatabaseClock::new();
        let heard_at = SystemClock.monotonic();
        let answer = SystemClock.now() + seconds(3600);
        clock.set(answer, heard_at, heard_at);
        let ahead = clock.now() - answer;
        assert!(
            ahead >= chrono::TimeDelta::zero() && ahead < chrono::TimeDelta::minutes(1),
            "{ahead}"
        );
    }

    #[test]
    fn a_slow_answer_does_not_move_the_clock_and_another_server_does() {
        let clock = DatabaseClock::new();
        let (start, day) = (DateTime::UNIX_EPOCH, seconds(86_400));
        clock.set(start + day, seconds(10), seconds(10));
        let offset = || clock.offset.load(Ordering::Relaxed);
        let first = offset();
        clock.set(
            start + day + Duration::from_millis(1040),
            seconds(11),
            seconds(11),
        );
        assert_eq!(offset(), first);
        clock.set(start + day + seconds(60), seconds(12), seconds(12));
        assert_eq!(offset() - first, 58_000_000);
    }
}
