//! From configuration to an object store. Must not know what is kept in it.

use std::fs::{self, File};
use std::io;
use std::path::Path as FsPath;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::{OpenError, StorageError};

// A caller waits for its 202: give up while it still listens, and let it send again.
const S3_RETRY_TIMEOUT: Duration = Duration::from_secs(15);
const S3_MAX_RETRIES: usize = 3;

/// Where and as whom to reach S3, or a store that speaks its protocol. Without an access key, the
/// credentials are those of the machine.
///
/// The bucket should expire incomplete multipart uploads: a process that is killed cannot remove
/// its own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Options {
    pub endpoint: Option<Url>,
    pub region: Option<String>,
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<SecretString>,
    pub allow_http: bool,
}

/// An object store and the path in it below which everything is kept.
pub(crate) struct Location {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
}

impl Location {
    /// `file:///directory`. The directory is made if it is missing.
    pub(crate) fn local(url: &Url) -> Result<Self, OpenError> {
        let directory = url
            .to_file_path()
            .map_err(|()| OpenError::InvalidLocation)?;
        create_durably(&directory).map_err(StorageError::from)?;
        let objects = LocalFileSystem::new_with_prefix(directory)
            .map_err(StorageError::from)?
            .with_fsync(true);
        Ok(Self {
            objects: Arc::new(objects),
            prefix: Path::default(),
        })
    }

    /// `s3://bucket/prefix`.
    pub(crate) fn s3(url: &Url, options: &S3Options) -> Result<Self, OpenError> {
        let bucket = url.host_str().ok_or(OpenError::InvalidLocation)?;
        let prefix = Path::from_url_path(url.path()).map_err(|_| OpenError::InvalidLocation)?;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_client_options(ClientOptions::new().with_allow_http(options.allow_http))
            .with_retry(RetryConfig {
                max_retries: S3_MAX_RETRIES,
                retry_timeout: S3_RETRY_TIMEOUT,
                ..RetryConfig::default()
            });
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        if let Some(region) = &options.region {
            builder = builder.with_region(region);
        }
        if let Some(id) = &options.access_key_id {
            builder = builder.with_access_key_id(id);
        }
        if let Some(secret) = &options.secret_access_key {
            builder = builder.with_secret_access_key(secret.expose_secret());
        }
        let objects = builder.build().map_err(StorageError::from)?;
        Ok(Self {
            objects: Arc::new(objects),
            prefix,
        })
    }
}

// The store syncs every directory it makes, but not the one it is given.
fn create_durably(directory: &FsPath) -> io::Result<()> {
    let missing: Vec<_> = directory
        .ancestors()
        .take_while(|ancestor| !ancestor.exists())
        .collect();
    fs::create_dir_all(directory)?;
    missing
        .iter()
        .filter_map(|made| made.parent())
        .try_for_each(|parent| File::open(parent)?.sync_all())
}
