//! The simulator as its callers see it: over HTTP, with a callback that listens.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed expectation is a failed test"
)]

mod account;
mod control;
mod faults;
mod lab;
mod limits;
mod media;
mod messages;
mod page;
mod template_messages;
mod templates;
mod webhooks;
