#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod admin;
mod config;
mod entry;
mod http_client;
mod lifecycle;
