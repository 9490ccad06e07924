#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "in a test, these are assertions"
)]

mod auth;
mod dead_letters;
mod files;
mod group_commit;
mod health;
mod history;
mod idempotency;
mod isolation;
mod message_status;
mod outage;
mod privacy;
mod registration;
mod resolve;
mod send_report;
mod settings;
mod stats;
mod support;
mod unreachable;
