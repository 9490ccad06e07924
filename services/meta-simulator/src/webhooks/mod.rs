//! Webhooks as Meta sends them: escaped, signed, batched, retried, in no promised order.
//! Knows nothing of why an update happens.

mod deliver;
mod escape;
mod handshake;
mod payload;
mod schedule;
mod sign;

pub(crate) use deliver::{Outbox, Receipt};
pub use handshake::HandshakeError;
pub(crate) use handshake::handshake;
pub(crate) use payload::Update;
pub(crate) use schedule::{Due, StatusDue, Timed, run as run_schedule};
