use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

#[derive(Debug)]
struct Part {
    name: &'static str,
    ready: AtomicBool,
}

/// The parts of a process that must be ready before it takes traffic.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    parts: Mutex<Vec<Arc<Part>>>,
    changed: Arc<Notify>,
}

impl Readiness {
    pub(crate) fn part(&self, name: &'static str) -> Ready {
        let part = Arc::new(Part {
            name,
            ready: AtomicBool::new(false),
        });
        self.parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&part));
        Ready {
            part,
            changed: Arc::clone(&self.changed),
        }
    }

    /// What is being waited for. A process that has not named its parts yet is not ready either.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.is_empty() {
            return vec!["starting"];
        }
        let missing = parts
            .iter()
            .filter(|part| !part.ready.load(Ordering::Acquire));
        missing.map(|part| part.name).collect()
    }

    pub(crate) async fn wait(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that a change in between is not missed.
            changed.as_mut().enable();
            if self.missing().is_empty() {
                return;
            }
            changed.await;
        }
    }
}

/// The latch of one part: not ready until [`set`](Self::set).
#[derive(Debug)]
pub struct Ready {
    part: Arc<Part>,
    changed: Arc<Notify>,
}

impl Ready {
    pub fn set(&self) {
        self.store(true);
    }

    /// For a part that can be lost again, such as a connection.
    pub fn unset(&self) {
        self.store(false);
    }

    fn store(&self, ready: bool) {
        self.part.ready.store(ready, Ordering::Release);
        self.changed.notify_waiters();
    }
}
