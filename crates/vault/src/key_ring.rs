use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cipher::{Cipher, KEY_BYTES, Key, derive, keyed_hash, random_key};
use crate::{DataKey, VaultError};

const FORMAT: u8 = 1;
const MAX_ID_BYTES: usize = 32;

/// What a value is looked up by while it is stored encrypted.
pub type BlindIndex = [u8; 32];

/// The master keys, one of which wraps new data keys while all of them unwrap old ones, and the
/// key of the blind indexes.
///
/// To rotate: put a new key first, rewrap every stored [`WrappedKey`], then drop the old key.
/// The index key cannot be rotated without recomputing every index.
pub struct KeyRing {
    primary: MasterKey,
    others: Vec<MasterKey>,
    index_key: Key,
}

struct MasterKey {
    id: String,
    cipher: Cipher,
}

impl KeyRing {
    /// `master_keys` is `id:base64[,id:base64...]`, the primary first; `index_key` is base64.
    /// Each key is 32 bytes.
    pub fn parse(master_keys: &SecretString, index_key: &SecretString) -> Result<Self, VaultError> {
        let index_key = decode_key(index_key.expose_secret()).ok_or(VaultError::InvalidIndexKey)?;
        let mut entries = (1..).zip(master_keys.expose_secret().split(','));
        let mut next = || {
            entries.next().map(|(position, entry)| {
                MasterKey::parse(entry).ok_or(VaultError::InvalidMasterKey { position })
            })
        };
        let primary = next().ok_or(VaultError::InvalidMasterKey { position: 1 })??;
        let mut ring = Self {
            primary,
            others: Vec::new(),
            index_key,
        };
        while let Some(key) = next().transpose()? {
            if ring.find(&key.id).is_some() {
                return Err(VaultError::DuplicateMasterKey(key.id));
            }
            ring.others.push(key);
        }
        Ok(ring)
    }

    /// A new master key in the form [`Self::parse`] takes, under a random id.
    pub fn generate_spec() -> String {
        let id = Uuid::new_v4().simple().to_string();
        let id: String = id.chars().take(8).collect();
        format!("k{id}:{}", STANDARD.encode(*random_key()))
    }

    /// A new index key in the form [`Self::parse`] takes.
    pub fn generate_index_key() -> String {
        STANDARD.encode(*random_key())
    }

    /// `owner` is the tenant, or nil for data of the platform itself.
    pub fn new_data_key(&self, owner: Uuid) -> (DataKey, WrappedKey) {
        let key = random_key();
        (DataKey::new(&key), self.primary.wrap(owner, &key))
    }

    pub fn unwrap(&self, wrapped: &WrappedKey, owner: Uuid) -> Result<DataKey, VaultError> {
        Ok(DataKey::new(&*self.open(wrapped, owner)?))
    }

    /// The same data key under the primary master key; `None` if it is there already.
    pub fn rewrap(
        &self,
        wrapped: &WrappedKey,
        owner: Uuid,
    ) -> Result<Option<WrappedKey>, VaultError> {
        if wrapped.master_key_id == self.primary.id {
            return Ok(None);
        }
        let key = self.open(wrapped, owner)?;
        Ok(Some(self.primary.wrap(owner, &key)))
    }

    /// The id of the master key that wraps new data keys.
    pub fn primary_id(&self) -> &str {
        &self.primary.id
    }

    /// Equal values in equal contexts give equal indexes; without the index key, an index says
    /// nothing about its value.
    pub fn blind_index(&self, context: &str, value: &str) -> BlindIndex {
        let keyed = keyed_hash(&self.index_key)
            .chain_update((context.len() as u64).to_be_bytes())
            .chain_update(context);
        *derive(keyed, value.as_bytes())
    }

    fn open(&self, wrapped: &WrappedKey, owner: Uuid) -> Result<Key, VaultError> {
        let master_key = self
            .find(&wrapped.master_key_id)
            .ok_or_else(|| VaultError::UnknownMasterKey(wrapped.master_key_id.clone()))?;
        master_key.unwrap(owner, &wrapped.sealed)
    }

    fn find(&self, id: &str) -> Option<&MasterKey> {
        std::iter::once(&self.primary)
            .chain(&self.others)
            .find(|key| key.id == id)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<_> = self.others.iter().map(|key| &key.id).collect();
        f.debug_struct("KeyRing")
            .field("primary", &self.primary.id)
            .field("others", &others)
            .finish_non_exhaustive()
    }
}

impl MasterKey {
    fn parse(entry: &str) -> Option<Self> {
        let (id, key) = entry.trim().split_once(':')?;
        Some(Self {
            id: is_id(id).then(|| id.to_owned())?,
            cipher: Cipher::new(&*decode_key(key)?),
        })
    }

    fn wrap(&self, owner: Uuid, key: &Key) -> WrappedKey {
        let mut sealed = Vec::new();
        self.cipher
            .seal(&self.associated_data(owner), &**key, &mut sealed);
        WrappedKey {
            master_key_id: self.id.clone(),
            sealed,
        }
    }

    fn unwrap(&self, owner: Uuid, sealed: &[u8]) -> Result<Key, VaultError> {
        let key = self.cipher.open(&self.associated_data(owner), sealed)?;
        to_key(&key).ok_or(VaultError::Tampered)
    }

    fn associated_data(&self, owner: Uuid) -> Vec<u8> {
        [owner.as_bytes(), self.id.as_bytes()].concat()
    }
}

/// A data key as it is stored: encrypted, and naming the master key that opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    master_key_id: String,
    sealed: Vec<u8>,
}

impl WrappedKey {
    pub fn master_key_id(&self) -> &str {
        &self.master_key_id
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let id_bytes = u8::try_from(self.master_key_id.len()).expect("ids have at most 32 bytes");
        let mut bytes = vec![FORMAT, id_bytes];
        bytes.extend_from_slice(self.master_key_id.as_bytes());
        bytes.extend_from_slice(&self.sealed);
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VaultError> {
        Self::parse(bytes).ok_or(VaultError::UnknownFormat)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let [FORMAT, id_bytes, rest @ ..] = bytes else {
            return None;
        };
        let (id, sealed) = rest.split_at_checked(usize::from(*id_bytes))?;
        let id = std::str::from_utf8(id).ok().filter(|id| is_id(id))?;
        Some(Self {
            master_key_id: id.to_owned(),
            sealed: sealed.to_vec(),
        })
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedKey")
            .field("master_key_id", &self.master_key_id)
            .finish_non_exhaustive()
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn decode_key(text: &str) -> Option<Key> {
    to_key(&Zeroizing::new(STANDARD.decode(text.trim()).ok()?))
}

fn to_key(bytes: &[u8]) -> Option<Key> {
    <[u8; KEY_BYTES]>::try_from(bytes).ok().map(Zeroizing::new)
}
