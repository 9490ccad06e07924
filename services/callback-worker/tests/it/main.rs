//! Callbacks against a real PostgreSQL and a LIMS on loopback: by hand, through the engine, and as a service.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that cannot go on fails its test, as it should"
)]

mod delivery;
mod engine;
mod record;
mod safety;
mod service;
mod support;
