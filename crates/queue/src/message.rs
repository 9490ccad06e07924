use std::fmt;

use bytes::Bytes;

/// What is published: opaque bytes, and the W3C trace context they belong to.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub body: Bytes,
    pub traceparent: Option<String>,
}

// The body belongs to whoever wrote it: it is not for logs.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("body_bytes", &self.body.len())
            .field("traceparent", &self.traceparent)
            .finish()
    }
}

/// Why a message is not known to be in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// It was not sent: publish it later.
    #[error("the broker is not available")]
    Unavailable,
    /// The broker has no such queue. The queue is being declared again: publish it later.
    #[error("the broker has no queue for the message")]
    Unroutable,
    /// The broker refused it, as a full queue does: publish it later, and less.
    #[error("the broker refused the message")]
    Nacked,
    /// It was sent and not confirmed: it may or may not be in the queue. Publish it again, under the same identity.
    #[error("the broker did not say whether it has the message")]
    Unknown,
}
