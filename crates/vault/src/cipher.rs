//! AES-256-GCM and key derivation, as the rest of the crate uses them. Must not know formats.

use aes_gcm::aead::{AeadInOut, Generate, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::VaultError;

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const NONCE_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;

pub(crate) type Key = Zeroizing<[u8; KEY_BYTES]>;

pub(crate) fn random_key() -> Key {
    Zeroizing::new(Generate::generate())
}

pub(crate) fn keyed_hash(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

pub(crate) fn derive(keyed: Hmac<Sha256>, input: &[u8]) -> Key {
    Zeroizing::new(keyed.chain_update(input).finalize().into_bytes().into())
}

/// An expanded AES-256-GCM key; the key schedule is wiped on drop.
pub(crate) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Appends nonce, ciphertext and tag to `out`, under a random nonce.
    pub(crate) fn seal(&self, associated: &[u8], plaintext: &[u8], out: &mut Vec<u8>) {
        let nonce: [u8; NONCE_BYTES] = Generate::generate();
        out.reserve(NONCE_BYTES + plaintext.len() + TAG_BYTES);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plaintext);
        self.seal_tail(&nonce, associated, out, start);
    }

    /// Encrypts `buffer` in place from `start` on, and appends the tag.
    pub(crate) fn seal_tail(
        &self,
        nonce: &[u8; NONCE_BYTES],
        associated: &[u8],
        buffer: &mut Vec<u8>,
        start: usize,
    ) {
        let (_, plaintext) = buffer.split_at_mut(start);
        let tag = self
            .0
            .encrypt_inout_detached(&Nonce::from(*nonce), associated, plaintext.into())
            .expect("a buffer in memory is below the cipher's limit of 64 GiB");
        buffer.extend_from_slice(&tag);
    }

    /// Opens what [`Self::seal`] appended.
    pub(crate) fn open(
        &self,
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, ciphertext) = sealed.split_first_chunk().ok_or(VaultError::Tampered)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        self.open_in_place(nonce, associated, &mut buffer)?;
        Ok(buffer)
    }

    /// Checks and removes the tag at the end of `buffer`, and decrypts the rest in place.
    pub(crate) fn open_in_place(
        &self,
        nonce: &[u8; NONCE_BYTES],
        associated: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<(), VaultError> {
        self.0
            .decrypt_in_place(&Nonce::from(*nonce), associated, buffer)
            .map_err(|_| VaultError::Tampered)
    }
}
