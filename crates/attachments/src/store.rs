use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Stream, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;
use vault::DataKey;
use vault::stream::{Opener, Sealer};

use crate::location::Location;
use crate::{GetError, ObjectKey, OpenError, PutError, S3Options, StorageError, Stored};
use crate::{download, upload};

// S3 takes no smaller part. A file below it, which is nearly every report, is one request.
const PART_BYTES: usize = 5 * 1024 * 1024;
const PARTS_IN_FLIGHT: usize = 2;

/// The files of all tenants. Cheap to clone.
///
/// A file appears under its key whole, durable and encrypted, or not at all.
#[derive(Clone)]
pub struct AttachmentStore {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl AttachmentStore {
    /// `file:///directory` or `s3://bucket/prefix`; the options are for S3 alone.
    pub fn from_url(url: &Url, s3: &S3Options) -> Result<Self, OpenError> {
        let Location { objects, prefix } = match url.scheme() {
            "file" => Location::local(url)?,
            "s3" => Location::s3(url, s3)?,
            other => return Err(OpenError::UnsupportedScheme(other.to_owned())),
        };
        Ok(Self { objects, prefix })
    }

    /// For tests: everything is gone with the last clone.
    pub fn in_memory() -> Self {
        Self {
            objects: Arc::new(InMemory::new()),
            prefix: Path::default(),
        }
    }

    /// Encrypts and stores `body` as it arrives. When this returns `Ok`, the file is durable; on
    /// an error, or if the future is dropped, nothing new is readable under the key.
    pub async fn put<S, E>(
        &self,
        key: &ObjectKey,
        data_key: &DataKey,
        body: S,
        limit_bytes: u64,
    ) -> Result<Stored, PutError<E>>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: StdError + 'static,
    {
        let sealer = Sealer::new(data_key, &key.context(), key.name());
        let path = key.path_under(&self.prefix);
        let writer = BufWriter::with_capacity(Arc::clone(&self.objects), path, PART_BYTES)
            .with_max_concurrency(PARTS_IN_FLIGHT);
        upload::store(body, limit_bytes, sealer, writer).await
    }

    /// The file, frame by frame. Every frame is authentic; a file cut short ends in an error.
    pub async fn get(
        &self,
        key: &ObjectKey,
        data_key: &DataKey,
    ) -> Result<BoxStream<'static, Result<Bytes, GetError>>, GetError> {
        let opener = Opener::new(data_key, &key.context(), key.name());
        let object = self.objects.get(&key.path_under(&self.prefix)).await?;
        Ok(download::open(object.into_stream(), opener))
    }

    /// The whole file in memory, unless it is larger than the limit.
    pub async fn get_bytes(
        &self,
        key: &ObjectKey,
        data_key: &DataKey,
        limit_bytes: u64,
    ) -> Result<Bytes, GetError> {
        let mut frames = self.get(key, data_key).await?;
        let mut file = BytesMut::new();
        while let Some(frame) = frames.try_next().await? {
            if (file.len() + frame.len()) as u64 > limit_bytes {
                return Err(GetError::TooLarge { limit_bytes });
            }
            file.extend_from_slice(&frame);
        }
        Ok(file.freeze())
    }

    /// A file that is not there is deleted already.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        match self.objects.delete(&key.path_under(&self.prefix)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for AttachmentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttachmentStore({})", self.objects)
    }
}
