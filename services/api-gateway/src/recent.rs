use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::Clock;
use storage::GroupCommit;

/// How old an answer may be: a revoked key is refused after this.
const LIFETIME: Duration = Duration::from_secs(2);
/// Most answers kept at a time.
const KEPT: usize = 10_000;
/// Most questions asked at once.
const MAX_BATCH: usize = 64;
/// Longer than a look-up waits for its connection; shorter than a client waits for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the database said a moment ago, so that a busy lab does not ask it the same for every report. What many labs ask
/// at a time is one question.
pub(crate) struct Recent<K, V> {
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<K, (V, Duration)>>,
    asking: GroupCommit<K, Option<V>>,
}

impl<K, V> Recent<K, V>
where
    K: Clone + Eq + Hash + Send + Sync,
    V: Clone + Send,
{
    /// The handle, and the loop that must be run for it. `list` finds what there is of these keys.
    pub(crate) fn new<F, Fut>(
        clock: Arc<dyn Clock>,
        list: F,
    ) -> (Self, impl Future<Output = ()> + Send)
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync,
        Fut: Future<Output = storage::Result<HashMap<K, V>>> + Send,
    {
        let (asking, run) = GroupCommit::new(MAX_BATCH, move |keys: Vec<K>| {
            let found = list(keys.clone());
            async move {
                let found = found.await?;
                Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
            }
        });
        let recent = Self {
            clock,
            kept: Mutex::new(HashMap::new()),
            asking,
        };
        (recent, run)
    }

    /// `None` if there is no such thing.
    pub(crate) async fn find(&self, key: &K) -> storage::Result<Option<V>> {
        // From before the question: the answer may be as old as that.
        let asked_at = self.clock.monotonic();
        if let Some(value) = self.kept(key, asked_at) {
            return Ok(Some(value));
        }
        let found = self.asking.submit(key.clone(), PATIENCE).await?;
        if let Some(value) = &found {
            self.keep(key.clone(), value.clone(), asked_at);
        }
        Ok(found)
    }

    fn kept(&self, key: &K, now: Duration) -> Option<V> {
        self.lock()
            .get(key)
            .filter(|(_, since)| now < *since + LIFETIME)
            .map(|(value, _)| value.clone())
    }

    fn keep(&self, key: K, value: V, asked_at: Duration) {
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
