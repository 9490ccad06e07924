//! Report files on a local disk or in S3, encrypted in frames and streamed both ways. Owns the
//! object layout, the accepted types and what durable means; must not know messages or SQL.

mod download;
mod error;
mod location;
mod media_type;
mod object_key;
mod store;
mod upload;

pub use error::{GetError, OpenError, PutError, StorageError};
pub use location::S3Options;
pub use media_type::{MediaType, UnknownMediaType};
pub use object_key::ObjectKey;
pub use store::AttachmentStore;
pub use upload::Stored;
