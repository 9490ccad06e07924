//! Webhook bodies of Meta, taken apart into typed items. Keeps what it does not know, and never lets one odd element
//! hide the others. Knows neither signatures nor what the items lead to.

mod element;
mod envelope;
mod items;

pub use envelope::{EnvelopeError, parse};
pub use items::{Account, Errors, Inbound, InboundMedia, Item, Status, StatusError, StatusKind};
