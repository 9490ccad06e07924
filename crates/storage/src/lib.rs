//! The only SQL. Functions take a connection and the caller owns the transaction; rows come back as types of this crate.
//! Knows no AMQP, no HTTP and no keys: what is sealed stays sealed bytes here.

pub mod api_keys;
pub mod attachments;
pub mod callbacks;
mod clock;
mod commit;
pub mod credentials;
mod database;
pub mod decisions;
mod error;
pub mod events;
mod group_commit;
pub mod inbound;
mod listener;
pub mod messages;
pub mod partitions;
pub mod sender_numbers;
pub mod templates;
pub mod tenants;
pub mod webhook_apps;
pub mod work;

pub use clock::DatabaseClock;
pub use database::{Connection, Database, PooledConnection, Transaction, migrate};
pub use error::Error;
pub use group_commit::{GroupCommit, Submission};
pub use listener::{News, WorkListener, WorkSignal};

/// What storage functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
