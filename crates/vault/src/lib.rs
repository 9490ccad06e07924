//! Envelope encryption: master keys wrap data keys, data keys seal values and streams. Also blind
//! indexes for lookups, API keys and random secrets. Pure computation over bytes: it must not know
//! who uses it, nor SQL, files, or async.

mod api_key;
mod cipher;
mod data_key;
mod error;
mod key_ring;
mod secret;
pub mod stream;

pub use api_key::{ApiKey, ApiKeyHash, ApiKeyText, ParsedApiKey};
pub use data_key::{Context, DataKey};
pub use error::VaultError;
pub use key_ring::{BlindIndex, KeyRing, WrappedKey};
pub use secret::random_secret;
