#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod local;
mod media_types;
mod round_trip;
mod s3;
mod tampering;

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use attachments::{AttachmentStore, GetError, ObjectKey, PutError, S3Options, Stored};
use bytes::Bytes;
use futures::{Stream, stream};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;
use vault::{DataKey, KeyRing};

const TENANT: Uuid = Uuid::from_u128(0x01);
const KEY: ObjectKey = ObjectKey::new(TENANT, Uuid::from_u128(0x0a));
const FRAME: usize = vault::stream::FRAME_BYTES;
const MIB: usize = 1024 * 1024;
const ANY_SIZE: u64 = u64::MAX;

fn data_key() -> DataKey {
    let ring = KeyRing::parse(
        &KeyRing::generate_spec().into(),
        &KeyRing::generate_index_key().into(),
    )
    .unwrap();
    ring.new_data_key(TENANT).0
}

fn pdf(size: usize) -> Bytes {
    let period: Vec<u8> = (0..=250).collect();
    let mut file = b"%PDF-1.7\n".to_vec();
    file.extend(period.repeat(size / period.len() + 1));
    file.truncate(size);
    file.into()
}

fn pieces(file: &Bytes, piece: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let chunks: Vec<_> = file.chunks(piece).map(Bytes::copy_from_slice).collect();
    stream::iter(chunks.into_iter().map(Ok))
}

/// A store in a directory of its own.
struct LocalStore {
    directory: TempDir,
    store: AttachmentStore,
    data_key: DataKey,
}

impl LocalStore {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(directory.path()).unwrap();
        Self {
            store: AttachmentStore::from_url(&url, &S3Options::default()).unwrap(),
            directory,
            data_key: data_key(),
        }
    }

    async fn put(&self, file: &Bytes) -> Result<Stored, PutError<Infallible>> {
        self.put_up_to(file, ANY_SIZE).await
    }

    async fn put_up_to(
        &self,
        file: &Bytes,
        limit_bytes: u64,
    ) -> Result<Stored, PutError<Infallible>> {
        let body = pieces(file, 100_000);
        self.store
            .put(&KEY, &self.data_key, body, limit_bytes)
            .await
    }

    async fn get(&self) -> Result<Bytes, GetError> {
        self.store.get_bytes(&KEY, &self.data_key, ANY_SIZE).await
    }

    fn object_path(&self, key: &ObjectKey) -> PathBuf {
        self.directory.path().join(key.to_string())
    }

    fn files(&self) -> Vec<PathBuf> {
        files_under(self.directory.path())
    }
}

fn files_under(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                files_under(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
