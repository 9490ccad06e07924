use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

#[derive(Debug)]
struct Pulse {
    name: &'static str,
    deadline: Duration,
    since: Instant,
    // Milliseconds after `since`, so that a beat is one store.
    last_beat: AtomicU64,
}

impl Pulse {
    fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_stale(&self) -> bool {
        let silent = self
            .elapsed_millis()
            .saturating_sub(self.last_beat.load(Ordering::Relaxed));
        Duration::from_millis(silent) > self.deadline
    }
}

/// The loops that must keep turning for the process to be alive.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats(Mutex<Vec<Weak<Pulse>>>);

impl Heartbeats {
    pub(crate) fn register(&self, name: &'static str, deadline: Duration) -> Heartbeat {
        let since = Instant::now();
        let pulse = Arc::new(Pulse {
            name,
            deadline,
            since,
            last_beat: AtomicU64::new(0),
        });
        let mut pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.retain(|pulse| pulse.strong_count() > 0);
        pulses.push(Arc::downgrade(&pulse));
        Heartbeat(pulse)
    }

    pub(crate) fn stale(&self) -> Vec<&'static str> {
        let pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = pulses.iter().filter_map(Weak::upgrade);
        running
            .filter(|pulse| pulse.is_stale())
            .map(|pulse| pulse.name)
            .collect()
    }
}

/// A loop's sign of life: beaten once a turn. A loop that misses its deadline makes `/live` fail; one that drops its
/// heartbeat has ended and is not waited for.
#[derive(Debug)]
pub struct Heartbeat(Arc<Pulse>);

impl Heartbeat {
    pub fn beat(&self) {
        self.0
            .last_beat
            .store(self.0.elapsed_millis(), Ordering::Relaxed);
    }
}
