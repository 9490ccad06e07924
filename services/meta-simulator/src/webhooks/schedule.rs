use std::{cmp::Ordering, collections::BinaryHeap, future::pending, sync::Arc};

use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    time::{Instant, sleep_until},
};

use super::payload::Update;
use crate::{engine::Engine, world::Event};

/// Something that happens by itself later.
pub(crate) enum Due {
    Status(Box<StatusDue>),
    /// A template's review ends.
    Review(String),
}

/// A status of an outbound message: it moves the ticks, then leaves as a webhook.
pub(crate) struct StatusDue {
    pub(crate) wamid: String,
    pub(crate) event: Event,
    pub(crate) update: Update,
    /// Told when the first callback has taken it, or has refused it once.
    pub(crate) taken: Option<oneshot::Sender<()>>,
}

pub(crate) struct Timed {
    pub(crate) at: Instant,
    pub(crate) due: Due,
}

struct Entry {
    timed: Timed,
    sequence: u64,
}

/// The earliest is the greatest, as the heap gives out the greatest first.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.timed.at, other.sequence).cmp(&(self.timed.at, self.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

/// Fires what is due, until the simulator stops.
pub(crate) async fn run(engine: Arc<Engine>, mut incoming: UnboundedReceiver<Timed>) {
    let mut heap = BinaryHeap::new();
    let mut sequence = 0;
    loop {
        let next = heap.peek().map(|entry: &Entry| entry.timed.at);
        let wait = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = engine.stop.cancelled() => return,
            timed = incoming.recv() => {
                let Some(timed) = timed else { return };
                sequence += 1;
                heap.push(Entry { timed, sequence });
            }
            () = wait => {
                let now = Instant::now();
                while heap.peek().is_some_and(|entry| entry.timed.at <= now) {
                    if let Some(entry) = heap.pop() {
                        engine.fire(entry.timed.due);
                    }
                }
            }
        }
    }
}
