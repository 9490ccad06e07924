use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
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
