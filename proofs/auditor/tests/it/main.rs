//! The auditor against runs that are clean, runs in which one thing is wrong, and a real PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that cannot go on fails its test, as it should"
)]

mod breaches;
mod clean;
mod database;
mod faults;
mod files;
mod program;
mod recording;
mod report;
mod scene;
