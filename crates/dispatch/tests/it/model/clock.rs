use std::{cell::Cell, time::Duration};

use chrono::{DateTime, Utc};
use domain::Clock;
use tokio::time::Instant;

thread_local! {
    /// When this thread's schedule began.
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Inside a schedule's runtime, before anything else.
pub(crate) fn start() {
    START.set(Some(Instant::now()));
}

/// The schedule's own time, which passes only while everything waits.
pub(crate) fn since_start() -> Duration {
    START.get().map_or(Duration::ZERO, |start| start.elapsed())
}

/// Lets that much of it pass, which costs nothing: the runtime is built as by `start_paused = true`.
pub(crate) async fn pass(time: Duration) {
    // A timer costs a turn of the wheel even when it is zero.
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// One replica's clock: the wall clock goes before or after.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VirtualClock {
    pub(crate) ahead: Duration,
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + since_start() + self.ahead
    }

    fn monotonic(&self) -> Duration {
        since_start()
    }
}
