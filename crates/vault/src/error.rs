use thiserror::Error;

/// Why the vault refused. No variant carries key material, plaintext, or what was being parsed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VaultError {
    #[error(
        "master key {position} is not `id:base64` of 32 bytes with an id of 1 to 32 letters, digits, `-` or `_`"
    )]
    InvalidMasterKey { position: usize },
    #[error("master key id `{0}` is given twice: every key in the ring needs its own id")]
    DuplicateMasterKey(String),
    #[error("the index key is not the base64 of 32 bytes")]
    InvalidIndexKey,
    #[error("unknown master key `{0}`: add it to the key ring")]
    UnknownMasterKey(String),
    #[error("not in a format this version reads: it was damaged, or written by a newer version")]
    UnknownFormat,
    #[error("authentication failed: altered, truncated, or sealed for another owner or column")]
    Tampered,
    #[error("not an API key")]
    InvalidApiKey,
}
