//! The one place where a test waits.

use std::{fmt::Debug, panic::Location, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

const PAUSE: Duration = Duration::from_millis(10);

/// What a probe of [`eventually`] may return: `bool`, `Option`, or a `Result` whose error is what was seen.
pub trait Observed {
    type Value;

    /// The value waited for, or a description of what was seen instead.
    fn settle(self) -> Result<Self::Value, String>;
}

impl Observed for bool {
    type Value = ();

    fn settle(self) -> Result<(), String> {
        if self {
            Ok(())
        } else {
            Err("false".to_owned())
        }
    }
}

impl<T> Observed for Option<T> {
    type Value = T;

    fn settle(self) -> Result<T, String> {
        self.ok_or_else(|| "None".to_owned())
    }
}

impl<T, E: Debug> Observed for Result<T, E> {
    type Value = T;

    fn settle(self) -> Result<T, String> {
        self.map_err(|seen| format!("{seen:?}"))
    }
}

/// Calls `probe` until it settles, and fails the test with the last thing seen once `limit` is over.
#[track_caller]
pub fn eventually<O: Observed>(
    limit: Duration,
    mut probe: impl AsyncFnMut() -> O,
) -> impl Future<Output = O::Value> {
    let caller = Location::caller();
    async move {
        let deadline = Instant::now() + limit;
        let mut last_seen = "a probe that does not return".to_owned();
        while let Ok(observed) = timeout_at(deadline, probe()).await {
            match observed.settle() {
                Ok(value) => return value,
                Err(seen) => last_seen = seen,
            }
            if Instant::now() >= deadline {
                break;
            }
            sleep(PAUSE).await;
        }
        panic!("{caller}: not within {limit:?}; last seen: {last_seen}")
    }
}
