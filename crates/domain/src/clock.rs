use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};

/// Where time comes from. Injected everywhere, so that tests drive it.
pub trait Clock: Send + Sync {
    /// The wall clock, to the microsecond.
    fn now(&self) -> DateTime<Utc>;

    /// Time since an arbitrary fixed start; never goes back.
    fn monotonic(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> DateTime<Utc> {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

// One start for the process: instants from two `SystemClock` values can be compared.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        // The database keeps microseconds; what is written must equal what is read back.
        Utc::now().trunc_subsecs(6)
    }

    fn monotonic(&self) -> Duration {
        let start = *START;
        start.elapsed()
    }
}

/// A clock that moves only when a test says so.
#[derive(Debug)]
pub struct MockClock(Mutex<Reading>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    now: DateTime<Utc>,
    monotonic: Duration,
}

impl MockClock {
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(Reading {
            now,
            monotonic: Duration::ZERO,
        }))
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        self.change(|reading| {
            reading.now += by;
            reading.monotonic += by;
        });
    }

    /// Steps the wall clock, back or forth; monotonic time does not notice.
    pub fn set(&self, now: DateTime<Utc>) {
        self.change(|reading| reading.now = now);
    }

    fn read(&self) -> Reading {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Reading)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Default for MockClock {
    /// 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::new(DateTime::from_timestamp_nanos(1_767_225_600_000_000_000))
    }
}

impl Clock for MockClock {
    fn now(&self) -> DateTime<Utc> {
        self.read().now
    }

    fn monotonic(&self) -> Duration {
        self.read().monotonic
    }
}
