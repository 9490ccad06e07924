use std::error::Error as StdError;
use std::io;

use thiserror::Error;
use vault::VaultError;

/// The disk or the object store failed; the same call may succeed later.
#[derive(Debug, Error)]
#[error("the attachment storage failed")]
pub struct StorageError(#[source] io::Error);

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        Self(error.into())
    }
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

/// Why a storage location cannot be used: a mistake in the configuration.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("attachments are stored under `file:///directory` or `s3://bucket/prefix`, not `{0}:`")]
    UnsupportedScheme(String),
    #[error("the attachment location names no usable directory, or no bucket")]
    InvalidLocation,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a file was not stored. In every case nothing is left behind.
#[derive(Debug, Error)]
pub enum PutError<E: StdError + 'static> {
    #[error("the file is empty")]
    Empty,
    #[error("the file is neither PDF, JPEG nor PNG")]
    UnsupportedType,
    #[error("the file is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    #[error("the file did not arrive whole")]
    Body(#[source] E),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a file, or the rest of it, cannot be had.
#[derive(Debug, Error)]
pub enum GetError {
    #[error("no such file")]
    NotFound,
    #[error("the file is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    #[error("the stored file cannot be opened")]
    Sealed(#[from] VaultError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<object_store::Error> for GetError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other => Self::Storage(other.into()),
        }
    }
}
