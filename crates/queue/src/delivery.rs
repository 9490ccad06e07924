use std::fmt;

use bytes::Bytes;

use crate::{in_process, metrics, rabbitmq, topology::Queue};

/// The broker could not be told. The message comes back, to this consumer or to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the delivery is no longer ours to settle")]
pub struct AckError;

/// One message handed to one consumer, to be settled once. Dropped without that, it goes back to its queue; after
/// more than [`DELIVERY_LIMIT`](crate::DELIVERY_LIMIT) returns, to the dead letters.
pub struct Delivery {
    pub body: Bytes,
    pub traceparent: Option<String>,
    /// It was handed out before: to someone who returned it, or who vanished.
    pub redelivered: bool,
    pub(crate) queue: Queue,
    pub(crate) receipt: Receipt,
}

/// The right to settle one delivery, once.
pub(crate) enum Receipt {
    InProcess(in_process::Receipt),
    Rabbit(rabbitmq::Receipt),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ack,
    Reject,
    Requeue,
}

impl Delivery {
    /// Removes the message from its queue. `Ok` says that the broker was told, not that it listened: a lost connection
    /// can still bring the message back.
    pub async fn ack(self) -> Result<(), AckError> {
        self.settle(Verdict::Ack).await
    }

    /// Moves the message to the dead letters of its queue. If the broker cannot be told, the message comes back.
    pub async fn reject(self) {
        self.settle(Verdict::Reject).await.ok();
    }

    /// Returns the message to its queue, now.
    pub async fn requeue(self) {
        self.settle(Verdict::Requeue).await.ok();
    }

    async fn settle(self, verdict: Verdict) -> Result<(), AckError> {
        match self.receipt {
            Receipt::InProcess(receipt) => receipt.settle(verdict),
            Receipt::Rabbit(receipt) => receipt.settle(verdict).await,
        }?;
        metrics::settled(self.queue, verdict);
        Ok(())
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("queue", &self.queue)
            .field("body_bytes", &self.body.len())
            .field("traceparent", &self.traceparent)
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}
