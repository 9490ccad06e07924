//! What is sealed in the database: the shapes, the columns they are bound to, and whose key opens them.
//! Joins `storage` (wrapped keys) with `vault` (the key ring); knows no HTTP, no AMQP and no work.

mod data_keys;
mod error;
mod platform;
mod tenant;

pub use data_keys::DataKeys;
pub use error::Error;
pub use platform::PlatformRecords;
pub use tenant::{InboundContent, ReportContent, TenantRecords};

/// What this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
