//! What every service needs to be a good process: configuration, telemetry, start, drain, admin port, HTTP client.
//! Knows none of our other crates and nothing of what a service does.

pub mod admin;
pub mod config;
mod entry;
mod heartbeat;
pub mod http_client;
mod lifecycle;
mod listener;
mod readiness;
pub mod telemetry;

pub use entry::{main, start};
pub use heartbeat::Heartbeat;
pub use lifecycle::{Lifecycle, LifecycleError, TaskOutput};
pub use listener::{BindError, listener};
pub use readiness::Ready;
