//! The world around the platform, for proofs that need all of it: real processes of every service, private servers, the
//! simulator as the provider, a LIMS that posts and retries, a receiver of callbacks. Knows no fault and no verdict.

mod balancer;
mod labs;
mod ledgers;
mod lims;
mod platform;
mod ports;
mod processors;
mod provider;
mod receiver;
mod replica;
mod screen;
mod servers;

pub use labs::{Lab, Labs, Policy};
pub use ledgers::{Ledger, write_lines};
pub use lims::{Acknowledged, Expect, Lims, Report};
pub use platform::{Plan, Platform, Registered};
pub use processors::Processors;
pub use provider::Provider;
pub use receiver::{Callback, CallbackReceiver};
pub use replica::{Replica, Service};
pub use screen::{exit_code, say};
pub use servers::{Server, Servers, ServersOptions};
