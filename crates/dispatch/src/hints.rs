use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use contracts::{WorkBatch, WorkItem};
use domain::{WorkId, WorkKind};
use queue::{Broker, Delivery, Message, PublishError, Queue};
use tokio::sync::mpsc;

/// The queue that carries hints of this kind of work.
pub(crate) const fn queue_of(kind: WorkKind) -> Queue {
    match kind {
        WorkKind::Send => Queue::Outbound,
        WorkKind::Event => Queue::Events,
        WorkKind::Callback => Queue::Callbacks,
    }
}

/// Publishes hints of released work, several rows to a broker message. Returns the rows whose hint is certainly not in the
/// queue; where the broker did not say, the release lease decides.
pub async fn publish_hints(
    broker: &Broker,
    kind: WorkKind,
    work: &[(WorkId, i32)],
    hint_size: usize,
) -> Vec<WorkId> {
    let chunks: Vec<&[(WorkId, i32)]> = work.chunks(hint_size.max(1)).collect();
    let messages = chunks.iter().map(|chunk| message(kind, chunk)).collect();
    let results = broker.publish(queue_of(kind), messages).await;
    chunks
        .into_iter()
        .zip(results)
        .filter(|(_, result)| matches!(result, Err(error) if *error != PublishError::Unknown))
        .flat_map(|(chunk, _)| chunk.iter().map(|(id, _)| *id))
        .collect()
}

fn message(kind: WorkKind, work: &[(WorkId, i32)]) -> Message {
    let items = work
        .iter()
        .map(|(id, attempt)| WorkItem {
            id: *id,
            attempt: *attempt,
        })
        .collect();
    // No trace context: a hint may name work of many traces; each row carries its own.
    Message {
        body: Bytes::from(WorkBatch { kind, items }.encode()),
        traceparent: None,
    }
}

/// A broker message whose work is being done. Dropped by the last claim that came of it, it is acknowledged:
/// then all is recorded, or the leases will tell.
pub(crate) struct Hint {
    pub(crate) delivery: Mutex<Option<Delivery>>,
    pub(crate) settle: mpsc::UnboundedSender<Delivery>,
}

impl Drop for Hint {
    fn drop(&mut self) {
        if let Some(delivery) = self
            .delivery
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            // With the settler gone the broker takes the delivery back, and it will claim nothing.
            drop(self.settle.send(delivery));
        }
    }
}
