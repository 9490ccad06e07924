use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::VaultError;
use crate::cipher::{Cipher, KEY_BYTES, derive, keyed_hash};

const FORMAT: u8 = 1;

/// What a sealed value belongs to. It opens in this context only: a value copied to another
/// tenant's row or to another column is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    pub owner: Uuid,
    pub column: &'static str,
}

impl Context {
    pub const fn new(owner: Uuid, column: &'static str) -> Self {
        Self { owner, column }
    }

    // The owner has a fixed length, so no two contexts give the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        [self.owner.as_bytes(), self.column.as_bytes()].concat()
    }
}

/// One owner's key, in the clear: it lives in memory only, and is wiped on drop.
///
/// Nonces are random, so one data key is good for 2^32 values; streams do not count, they have
/// keys of their own.
pub struct DataKey {
    values: Cipher,
    streams: Zeroizing<[u8; KEY_BYTES]>,
}

impl DataKey {
    // Values and streams get separate keys, so neither format can be replayed as the other.
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self {
            values: Cipher::new(&derive(keyed_hash(key), b"values")),
            streams: derive(keyed_hash(key), b"streams"),
        }
    }

    pub fn seal(&self, context: &Context, plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = vec![FORMAT];
        self.values
            .seal(&context.associated_data(), plaintext, &mut sealed);
        sealed
    }

    pub fn open(&self, context: &Context, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        match sealed {
            [FORMAT, sealed @ ..] => self.values.open(&context.associated_data(), sealed),
            _ => Err(VaultError::UnknownFormat),
        }
    }

    /// The start of a stream key's derivation, bound to the context and the object's name.
    pub(crate) fn stream_binding(&self, context: &Context, object: &[u8]) -> Hmac<Sha256> {
        keyed_hash(&self.streams)
            .chain_update(context.owner.as_bytes())
            .chain_update((context.column.len() as u64).to_be_bytes())
            .chain_update(context.column)
            .chain_update((object.len() as u64).to_be_bytes())
            .chain_update(object)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}
