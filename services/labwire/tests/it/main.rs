//! The platform from end to end: every service, a real database, a broker of either kind, and the simulator as the provider.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test, these are assertions"
)]

mod budget;
mod command_line;
mod crash;
mod delivery;
mod doubt;
mod lab;
mod operator;
mod platform;
mod poison;
mod webhooks;
