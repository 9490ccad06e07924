//! Every statement against a real PostgreSQL: what it does, what it refuses, and to whom.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that cannot go on fails its test, as it should"
)]

mod acceptance;
mod cancellation;
mod decisions;
mod group_commit;
mod history;
mod inbound;
mod isolation;
mod names;
mod partitions;
mod plans;
mod records;
mod sendable;
mod states;
mod support;
mod work;
