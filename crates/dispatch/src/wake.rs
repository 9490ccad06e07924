//! When the releaser looks, and at what.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use storage::News;
use tokio::sync::Notify;

/// What the releaser is woken for, gathered while it is busy.
#[derive(Default)]
pub(crate) struct Wake {
    heard: Mutex<Heard>,
    notify: Notify,
}

/// What was said since the releaser last looked.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// There may be work in these.
    pub(crate) partitions: BTreeSet<i16>,
    /// In these something came to its end.
    pub(crate) rooms: BTreeSet<i16>,
    /// There may be partitions to take, or to give up, and work in any of them.
    pub(crate) owners: bool,
}

impl Wake {
    pub(crate) fn tell(&self, news: News) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match news {
            News::Work(partition) => {
                heard.partitions.insert(partition);
            }
            News::Room(partition) => {
                heard.rooms.insert(partition);
            }
            News::Owners => heard.owners = true,
        }
        self.notify.notify_one();
    }

    /// Returns when something was said.
    pub(crate) async fn told(&self) {
        self.notify.notified().await;
    }

    pub(crate) fn take(&self) -> Heard {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When each partition is to be looked at if nobody says anything of it (monotonic); at once where it is unknown.
#[derive(Default)]
pub(crate) struct Looks(HashMap<i16, Duration>);

impl Looks {
    pub(crate) fn at(&self, partition: i16) -> Duration {
        self.0.get(&partition).copied().unwrap_or_default()
    }

    pub(crate) fn no_later_than(&mut self, partition: i16, at: Duration) {
        let known = self.0.entry(partition).or_insert(at);
        *known = at.min(*known);
    }

    pub(crate) fn at_once(&mut self, partitions: impl IntoIterator<Item = i16>) {
        for partition in partitions {
            self.0.remove(&partition);
        }
    }

    /// What was found out now takes the place of what was known.
    pub(crate) fn extend(&mut self, found: Self) {
        self.0.extend(found.0);
    }
}
