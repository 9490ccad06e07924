use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::VaultError;
use crate::cipher::{KEY_BYTES, random_key};

const PREFIX: &str = "lw_";

/// API keys: `lw_<id>_<secret>`, the id in 32 hex digits to find the key by, the secret 32 random
/// bytes in base64url.
///
/// A plain SHA-256 is stored. A slow hash makes guessing dear where secrets are guessable; 256
/// random bits cannot be guessed at any speed, and every request is checked.
pub struct ApiKey;

impl ApiKey {
    /// The text is shown to its holder once; the hash is what to store.
    pub fn generate(id: Uuid) -> (ApiKeyText, ApiKeyHash) {
        let secret = random_key();
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(*secret));
        let text = format!("{PREFIX}{}_{}", id.simple(), *encoded);
        (ApiKeyText(text.into()), ApiKeyHash::of(&secret))
    }

    pub fn parse(text: &str) -> Result<ParsedApiKey, VaultError> {
        Self::parse_parts(text).ok_or(VaultError::InvalidApiKey)
    }

    fn parse_parts(text: &str) -> Option<ParsedApiKey> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let mut id_bytes = [0; 16];
        hex::decode_to_slice(id, &mut id_bytes).ok()?;
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).ok()?);
        let secret: &[u8; KEY_BYTES] = secret.as_slice().try_into().ok()?;
        Some(ParsedApiKey {
            id: Uuid::from_bytes(id_bytes),
            hash: ApiKeyHash::of(secret),
        })
    }
}

/// A whole API key, secret included.
#[derive(Debug)]
pub struct ApiKeyText(SecretString);

impl ApiKeyText {
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// What is stored of an API key. It has no `==`: see [`ParsedApiKey::matches`].
#[derive(Clone, Copy)]
pub struct ApiKeyHash([u8; 32]);

impl ApiKeyHash {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn of(secret: &[u8; KEY_BYTES]) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyHash(..)")
    }
}

/// A well-formed API key that somebody presented; it proves nothing until it
/// [matches](Self::matches).
#[derive(Debug, Clone, Copy)]
pub struct ParsedApiKey {
    pub id: Uuid,
    hash: ApiKeyHash,
}

impl ParsedApiKey {
    /// Takes the same time wherever the two differ.
    pub fn matches(&self, stored: &ApiKeyHash) -> bool {
        self.hash.0.ct_eq(&stored.0).into()
    }
}
