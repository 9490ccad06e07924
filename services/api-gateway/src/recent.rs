use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::Clock;

/// How old an answer may be: a revoked key is refused after this.
const LIFETIME: Duration = Duration::from_secs(2);
/// Most answers kept at a time.
const KEPT: usize = 10_000;

/// What the database said a moment ago, so that a busy lab does not ask it the same for every report.
pub(crate) struct Recent<K, V> {
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<K, (V, Duration)>>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            kept: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) fn find(&self, key: &K) -> Option<V> {
        let now = self.clock.monotonic();
        self.lock()
            .get(key)
            .filter(|(_, since)| now < *since + LIFETIME)
            .map(|(value, _)| value.clone())
    }

    /// `asked_at` is from before the question: the answer may be as old as that.
    pub(crate) fn keep(&self, key: K, value: V, asked_at: Duration) {
        let mut kept = self.lock();
        if kept.len() >= KEPT {
            kept.retain(|_, (_, since)| asked_at < *since + LIFETIME);
        }
        if kept.len() < KEPT {
            kept.insert(key, (value, asked_at));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (V, Duration)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
