//! The engine over a real PostgreSQL and the in-process broker, with handlers that do as a test tells them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that cannot go on fails its test, as it should"
)]

mod faults;
mod hints;
mod model;
mod outcomes;
mod pacing;
mod recording;
mod replicas;
mod script;
mod stage;
mod stopping;
