//! Webhook events against a real PostgreSQL: sealed and stored as the ingest does it, applied by the engine.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that cannot go on fails its test, as it should"
)]

mod inbound;
mod odd;
mod retention;
mod service;
mod statuses;
mod support;
mod templates;
