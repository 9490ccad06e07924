//! The broker inside this process, for the single binary and for tests. It keeps the promises of RabbitMQ but one:
//! nothing outlives the process. Must not know any network.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    delivery::{AckError, Delivery, Receipt as AnyReceipt, Verdict},
    message::{Message, PublishError},
    topology::{DELIVERY_LIMIT, MAX_LENGTH, Queue},
};

#[derive(Debug)]
pub(crate) struct InProcess {
    outbound: Arc<Channel>,
    events: Arc<Channel>,
    callbacks: Arc<Channel>,
    closed: CancellationToken,
}

impl InProcess {
    pub(crate) fn new() -> Self {
        let closed = CancellationToken::new();
        let channel = |queue| Arc::new(Channel::new(queue, closed.clone()));
        Self {
            outbound: channel(Queue::Outbound),
            events: channel(Queue::Events),
            callbacks: channel(Queue::Callbacks),
            closed,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.closed.is_cancelled()
    }

    pub(crate) fn publish(
        &self,
        queue: Queue,
        messages: Vec<Message>,
    ) -> Vec<Result<(), PublishError>> {
        let channel = self.channel(queue);
        let results = {
            let mut waiting = channel.lock();
            messages
                .into_iter()
                .map(|message| waiting.push(message, self.is_open()))
                .collect()
        };
        channel.arrived.notify_waiters();
        results
    }

    pub(crate) fn consume(&self, queue: Queue, prefetch: u16) -> Consumer {
        let channel = Arc::clone(self.channel(queue));
        Consumer {
            channel,
            prefetch: Arc::new(Semaphore::new(prefetch.into())),
        }
    }

    pub(crate) fn depth(&self, queue: Queue) -> u64 {
        self.channel(queue).lock().ready.len() as u64
    }

    pub(crate) fn dead_letters(&self, queue: Queue) -> u64 {
        self.channel(queue).lock().dead.len() as u64
    }

    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    fn channel(&self, queue: Queue) -> &Arc<Channel> {
        match queue {
            Queue::Outbound => &self.outbound,
            Queue::Events => &self.events,
            Queue::Callbacks => &self.callbacks,
        }
    }
}

/// Takes messages from one queue, and holds no more than its prefetch of them unsettled.
#[derive(Debug)]
pub(crate) struct Consumer {
    channel: Arc<Channel>,
    prefetch: Arc<Semaphore>,
}

impl Consumer {
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        self.channel
            .closed
            .clone()
            .run_until_cancelled(self.take())
            .await?
    }

    async fn take(&self) -> Option<Delivery> {
        let permit = Arc::clone(&self.prefetch).acquire_owned().await.ok()?;
        loop {
            // Listening starts before looking: a message that arrives in between is not overlooked.
            let arrived = self.channel.arrived.notified();
            let Some(entry) = self.channel.lock().ready.pop_front() else {
                arrived.await;
                continue;
            };
            return Some(self.channel.deliver(entry, permit));
        }
    }
}

/// One delivery in a consumer's hands. Dropped unsettled, its message goes back.
#[derive(Debug)]
pub(crate) struct Receipt {
    channel: Arc<Channel>,
    entry: Option<Entry>,
    _prefetch: OwnedSemaphorePermit,
}

impl Receipt {
    pub(crate) fn settle(mut self, verdict: Verdict) -> Result<(), AckError> {
        if self.channel.closed.is_cancelled() {
            return Err(AckError);
        }
        if let Some(entry) = self.entry.take() {
            self.channel.settle(entry, verdict);
        }
        Ok(())
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.channel.settle(entry, Verdict::Requeue);
        }
    }
}

#[derive(Debug)]
struct Channel {
    queue: Queue,
    messages: Mutex<Messages>,
    arrived: Notify,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct Messages {
    ready: VecDeque<Entry>,
    dead: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    returns: u32,
}

impl Channel {
    fn new(queue: Queue, closed: CancellationToken) -> Self {
        Self {
            queue,
            messages: Mutex::default(),
            arrived: Notify::new(),
            closed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Messages> {
        // No code that holds the lock can leave the queues half changed.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(self: &Arc<Self>, entry: Entry, prefetch: OwnedSemaphorePermit) -> Delivery {
        Delivery {
            body: entry.message.body.clone(),
            traceparent: entry.message.traceparent.clone(),
            redelivered: entry.returns > 0,
            queue: self.queue,
            receipt: AnyReceipt::InProcess(Receipt {
                channel: Arc::clone(self),
                entry: Some(entry),
                _prefetch: prefetch,
            }),
        }
    }

    fn settle(&self, entry: Entry, verdict: Verdict) {
        match verdict {
            Verdict::Ack => {}
            Verdict::Reject => self.lock().bury(entry),
            Verdict::Requeue => {
                self.lock().put_back(entry);
                self.arrived.notify_waiters();
            }
        }
    }
}

impl Messages {
    fn push(&mut self, message: Message, open: bool) -> Result<(), PublishError> {
        if !open {
            return Err(PublishError::Unavailable);
        }
        if self.ready.len() >= MAX_LENGTH as usize {
            return Err(PublishError::Nacked);
        }
        self.ready.push_back(Entry {
            message,
            returns: 0,
        });
        Ok(())
    }

    /// At the front: what was handed out before is older than all that waits.
    fn put_back(&mut self, mut entry: Entry) {
        entry.returns += 1;
        if entry.returns > DELIVERY_LIMIT {
            self.bury(entry);
        } else {
            self.ready.push_front(entry);
        }
    }

    /// The newest dead letters tell most: a full list drops its oldest.
    fn bury(&mut self, entry: Entry) {
        if self.dead.len() >= MAX_LENGTH as usize {
            self.dead.pop_front();
        }
        self.dead.push_back(entry);
    }
}
