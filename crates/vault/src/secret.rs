use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::cipher::random_key;

/// A new signing secret in the form of Standard Webhooks: `whsec_` and the base64 of 32 bytes.
pub fn random_secret() -> SecretString {
    SecretString::from(format!("whsec_{}", STANDARD.encode(*random_key())))
}
