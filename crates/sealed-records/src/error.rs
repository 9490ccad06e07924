/// Why a sealed record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a data key could not be fetched")]
    Storage(#[from] storage::Error),
    /// The record, its key or the key ring do not belong together.
    #[error("a sealed record could not be opened")]
    Vault(#[from] vault::VaultError),
    /// The owner has no data key: it was erased, or the platform was never set up.
    #[error("there is no data key for this owner; for the platform's, run `labwire migrate`")]
    NoKey,
    /// It opened, and is not what this version expects.
    #[error("a sealed record opened to something this version cannot read")]
    Unreadable,
}

impl Error {
    /// Whether the same call may succeed later, unchanged.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_unavailable())
    }
}
