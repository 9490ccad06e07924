//! The way from a releaser to the consumer of its own process.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use storage::work::Claim;
use tokio::sync::mpsc;

use crate::hints::Hint;

/// What was claimed, and what each claim holds.
pub(crate) type Kept = Vec<(Claim, Held)>;

/// Takes what a releaser keeps for its own process, as long as that has few claims under way.
pub(crate) struct Intake {
    kept: mpsc::UnboundedSender<Kept>,
    under_way: UnderWay,
    most: usize,
}

impl Intake {
    pub(crate) fn new(most: usize, under_way: UnderWay) -> (Self, mpsc::UnboundedReceiver<Kept>) {
        let (kept, taken) = mpsc::unbounded_channel();
        let intake = Self {
            kept,
            under_way,
            most,
        };
        (intake, taken)
    }

    /// How many claims it would take.
    pub(crate) fn room(&self) -> usize {
        let under_way = self.under_way.0.load(Ordering::Relaxed);
        self.most.saturating_sub(under_way)
    }

    pub(crate) fn take(&self, claims: Vec<Claim>) {
        let kept = claims.into_iter().map(|it| (it, self.under_way.hold(None)));
        // The consumer outlives its releaser; it is gone only when the process gives up, and then the leases tell.
        drop(self.kept.send(kept.collect()));
    }
}

/// How many claims a process has whose outcome is not recorded, however it came by them.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    /// One more.
    pub(crate) fn hold(&self, hint: Option<Arc<Hint>>) -> Held {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held {
            _hint: hint,
            under_way: self.clone(),
        }
    }
}

/// Dropped when a claim's outcome is recorded, or will not be: it is no longer under way, and its hint is settled with the last
/// of those that came of it.
pub(crate) struct Held {
    _hint: Option<Arc<Hint>>,
    under_way: UnderWay,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.under_way.0.fetch_sub(1, Ordering::Relaxed);
    }
}
