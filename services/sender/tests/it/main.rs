//! Sends against a real PostgreSQL and a Graph API on loopback, through the engine, on a clock that the test moves.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that cannot go on fails its test, as it should"
)]

mod composing;
mod crashes;
mod credential;
mod decisions;
mod doubt;
mod early;
mod expiry;
mod graph;
mod media;
mod privacy;
mod refusals;
mod service;
mod support;
