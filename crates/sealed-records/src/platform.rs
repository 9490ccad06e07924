use std::sync::Arc;

use secrecy::SecretString;
use uuid::Uuid;
use vault::{Context, DataKey};
use zeroize::Zeroizing;

use crate::{Error, Result};

/// Seals and opens what belongs to no tenant: raw events and the secrets of webhook apps.
#[derive(Clone, Debug)]
pub struct PlatformRecords {
    key: Arc<DataKey>,
}

impl PlatformRecords {
    pub(crate) fn new(key: Arc<DataKey>) -> Self {
        Self { key }
    }

    pub fn seal_event_body(&self, body: &[u8]) -> Vec<u8> {
        self.key.seal(&column("events.body"), body)
    }

    /// The exact bytes that were received.
    pub fn open_event_body(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        Ok(self.key.open(&column("events.body"), sealed)?)
    }

    pub fn seal_app_secret(&self, secret: &str) -> Vec<u8> {
        self.key
            .seal(&column("webhook_apps.app_secret"), secret.as_bytes())
    }

    pub fn open_app_secret(&self, sealed: &[u8]) -> Result<SecretString> {
        text(&self.key.open(&column("webhook_apps.app_secret"), sealed)?)
    }

    pub fn seal_verify_token(&self, token: &str) -> Vec<u8> {
        self.key
            .seal(&column("webhook_apps.verify_token"), token.as_bytes())
    }

    pub fn open_verify_token(&self, sealed: &[u8]) -> Result<SecretString> {
        text(
            &self
                .key
                .open(&column("webhook_apps.verify_token"), sealed)?,
        )
    }
}

const fn column(column: &'static str) -> Context {
    Context::new(Uuid::nil(), column)
}

pub(crate) fn text(bytes: &[u8]) -> Result<SecretString> {
    std::str::from_utf8(bytes)
        .map(SecretString::from)
        .map_err(|_| Error::Unreadable)
}
