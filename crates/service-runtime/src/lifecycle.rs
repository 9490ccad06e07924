use std::{
    collections::BTreeMap,
    io,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Heartbeat, Ready, heartbeat::Heartbeats, readiness::Readiness};

// After the hard token, a task is dropped at its next await. This is for one that does not come to it.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Why a process did not end well.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    #[error("{task} failed")]
    Failed {
        task: &'static str,
        source: anyhow::Error,
    },
    #[error("{task} panicked")]
    Panicked { task: &'static str },
    #[error("gave up on what had not finished in time: {}", tasks.join(", "))]
    GaveUp { tasks: Vec<&'static str> },
}

/// The life of a process: its tasks, when they are to stop, whether they are ready and alive.
///
/// The *soft* token says: take no new work. The *hard* token says: give up; every spawned task is dropped at its next
/// await. A task that fails or panics takes the process down in good order, never silently.
#[derive(Debug, Clone)]
pub struct Lifecycle(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
    running: Mutex<BTreeMap<&'static str, usize>>,
    failure: Mutex<Option<LifecycleError>>,
    readiness: Readiness,
    heartbeats: Heartbeats,
}

impl Lifecycle {
    /// Stops when told by [`stop`](Self::stop) or by the failure of a task.
    #[expect(
        clippy::new_without_default,
        reason = "a lifecycle is made on purpose, once"
    )]
    pub fn new() -> Self {
        let lifecycle = Self(Arc::default());
        // A closed tracker still takes tasks; closed, it can be waited for.
        lifecycle.0.tasks.close();
        lifecycle
    }

    /// One that hears no signals, so that a test can end it alone.
    pub fn for_tests() -> Self {
        Self::new()
    }

    /// Stops at the first SIGTERM or SIGINT and gives up at the second.
    pub fn from_signals() -> io::Result<Self> {
        let lifecycle = Self::new();
        let (terminate, interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        // Not one of the tracked tasks: it never ends.
        TaskTracker::new().spawn(heed(lifecycle.clone(), terminate, interrupt));
        Ok(lifecycle)
    }

    /// Cancelled when no new work is to be taken.
    pub fn soft(&self) -> &CancellationToken {
        &self.0.soft
    }

    /// Cancelled when what is under way is to be given up.
    pub fn hard(&self) -> &CancellationToken {
        &self.0.hard
    }

    /// Completes when no new work is to be taken: for whoever needs a future of its own, such as an HTTP server.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.soft.clone().cancelled_owned()
    }

    pub fn is_draining(&self) -> bool {
        self.0.soft.is_cancelled()
    }

    /// Asks for no new work.
    pub fn stop(&self) {
        self.0.soft.cancel();
    }

    /// Runs a task that shutdown waits for. Its name is what the log and the exit say of it.
    pub fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        *inner.running().entry(name).or_default() += 1;
        self.0.tasks.spawn(async move {
            let outcome = tokio::select! {
                biased;
                outcome = AssertUnwindSafe(future).catch_unwind() => Some(outcome),
                () = inner.hard.cancelled() => None,
            };
            match outcome.map(|outcome| outcome.map(TaskOutput::into_result)) {
                None => return,
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(source))) => inner.fail(LifecycleError::Failed { task: name, source }),
                Some(Err(_)) => inner.fail(LifecycleError::Panicked { task: name }),
            }
            inner.leave(name);
        });
    }

    /// Names a part that must be ready before `/ready` says so. To be called before the first await of a service.
    pub fn ready(&self, part: &'static str) -> Ready {
        self.0.readiness.part(part)
    }

    /// What `/ready` waits for; empty when ready.
    pub fn not_ready(&self) -> Vec<&'static str> {
        if self.is_draining() {
            vec!["draining"]
        } else {
            self.0.readiness.missing()
        }
    }

    /// Completes when every named part is ready.
    pub async fn until_ready(&self) {
        self.0.readiness.wait().await;
    }

    /// A sign of life that a loop must give at least once in each `deadline`.
    pub fn heartbeat(&self, name: &'static str, deadline: Duration) -> Heartbeat {
        self.0.heartbeats.register(name, deadline)
    }

    /// Loops that have missed their deadline.
    pub fn stale_loops(&self) -> Vec<&'static str> {
        self.0.heartbeats.stale()
    }

    /// Waits until told to stop, or until no task is left, then shuts down.
    pub async fn run_until_stopped(&self, grace: Duration) -> Result<(), LifecycleError> {
        tokio::select! {
            () = self.0.soft.cancelled() => {}
            () = self.0.tasks.wait() => {}
        }
        self.shutdown(grace).await
    }

    /// Stops, gives tasks `grace` to finish, then gives them up. The first failure of a task is the answer.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), LifecycleError> {
        self.stop();
        let finished = tokio::select! {
            finished = timeout(grace, self.0.tasks.wait()) => finished.is_ok(),
            () = self.0.hard.cancelled() => false,
        };
        if !finished {
            self.0.hard.cancel();
            let _best_effort = timeout(LAST_WORD, self.0.tasks.wait()).await;
        }
        if let Some(failure) = self.0.failure().take() {
            return Err(failure);
        }
        let tasks: Vec<_> = self.0.running().keys().copied().collect();
        if tasks.is_empty() {
            Ok(())
        } else {
            Err(LifecycleError::GaveUp { tasks })
        }
    }
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> MutexGuard<'_, Option<LifecycleError>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, name: &'static str) {
        let mut running = self.running();
        if let Some(count) = running.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                running.remove(name);
            }
        }
    }

    fn fail(&self, failure: LifecycleError) {
        // The cause is logged once, by whoever waits for the end.
        tracing::warn!("{failure}: stopping");
        // The first one is the cause; what fails after it is most often its consequence.
        self.failure().get_or_insert(failure);
        self.soft.cancel();
    }
}

async fn heed(lifecycle: Lifecycle, mut terminate: Signal, mut interrupt: Signal) {
    for token in [lifecycle.soft(), lifecycle.hard()] {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "received {name}");
        token.cancel();
    }
}

/// What a task may end with: nothing, or a result whose error is fatal to the process.
pub trait TaskOutput: Send {
    fn into_result(self) -> anyhow::Result<()>;
}

impl TaskOutput for () {
    fn into_result(self) -> anyhow::Result<()> {
        Ok(())
    }
}

impl<E: Into<anyhow::Error> + Send> TaskOutput for Result<(), E> {
    fn into_result(self) -> anyhow::Result<()> {
        self.map_err(Into::into)
    }
}
