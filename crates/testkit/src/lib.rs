//! What tests need from outside their crate: databases, broker virtual hosts, broken networks, a callback
//! receiver, and the one way to wait. A dev-dependency only; it must not know what is being tested.

#![expect(
    clippy::panic,
    reason = "a test that cannot be set up has to fail, with a sentence"
)]

mod background;
pub mod database;
mod environment;
mod eventually;
pub mod proxy;
pub mod rabbitmq;
pub mod receiver;

pub use database::{TestDatabase, database};
pub use eventually::{Observed, eventually};
pub use proxy::TcpProxy;
pub use receiver::Receiver;
