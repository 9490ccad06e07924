use std::convert::Infallible;
use std::future::pending;
use std::io;

use attachments::{AttachmentStore, PutError, S3Options};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use tokio::time::{Duration, timeout};
use url::Url;

use crate::{ANY_SIZE, FRAME, KEY, LocalStore, MIB, data_key, files_under, pdf, pieces};

const SIZES: [usize; 3] = [10, 2 * FRAME + 1, 6 * MIB];

#[tokio::test]
async fn a_file_over_the_limit_leaves_nothing_behind() {
    for size in SIZES {
        let local = LocalStore::new();
        let limit_bytes = size as u64 - 1;
        let refused = local.put_up_to(&pdf(size), limit_bytes).await;
        let Err(PutError::TooLarge { limit_bytes: told }) = refused else {
            panic!("size {size}: {refused:?}");
        };
        assert_eq!(told, limit_bytes);
        assert!(local.files().is_empty(), "size {size}");
    }
}

#[tokio::test]
async fn a_file_of_exactly_the_limit_is_stored() {
    for size in SIZES {
        let local = LocalStore::new();
        local.put_up_to(&pdf(size), size as u64).await.unwrap();
    }
}

#[tokio::test]
async fn an_endless_body_is_refused_at_the_limit() {
    let local = LocalStore::new();
    let endless = stream::repeat(pdf(FRAME)).map(Ok::<_, Infallible>);
    let limit_bytes = 6 * MIB as u64;
    let put = local.store.put(&KEY, &local.data_key, endless, limit_bytes);
    let refused = timeout(Duration::from_secs(30), put).await.unwrap();
    assert!(matches!(refused, Err(PutError::TooLarge { .. })));
    assert!(local.files().is_empty());
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_behind() {
    for size in SIZES {
        let local = LocalStore::new();
        let broken = pieces(&pdf(size), 100_000)
            .map(|chunk| chunk.map_err(|never| match never {}))
            .chain(stream::iter([Err(io::Error::other("connection reset"))]));
        let refused = local
            .store
            .put(&KEY, &local.data_key, broken, ANY_SIZE)
            .await;
        let Err(PutError::Body(cause)) = refused else {
            panic!("size {size}: {refused:?}");
        };
        assert_eq!(cause.to_string(), "connection reset");
        assert!(local.files().is_empty(), "size {size}");
    }
}

#[tokio::test]
async fn a_broken_replacement_leaves_the_old_file_as_it_was() {
    let local = LocalStore::new();
    local.put(&pdf(500)).await.unwrap();
    for size in SIZES {
        local.put_up_to(&pdf(size), 9).await.unwrap_err();
        assert_eq!(local.get().await.unwrap(), pdf(500));
        assert_eq!(local.files(), [local.object_path(&KEY)]);
    }
}

#[tokio::test]
async fn an_upload_dropped_half_way_leaves_nothing_behind() {
    let local = LocalStore::new();
    let stalled = pieces(&pdf(6 * MIB), 100_000).chain(stream::once(pending()));
    let mut put = Box::pin(local.store.put(&KEY, &local.data_key, stalled, ANY_SIZE));
    while local.files().is_empty() {
        assert!(put.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert!(!local.object_path(&KEY).exists());
    drop(put);
    // The clean-up is on another thread.
    let cleaned = async {
        while !local.files().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), cleaned).await.unwrap();
}

#[tokio::test]
async fn what_lies_on_the_disk_is_not_the_file() {
    let local = LocalStore::new();
    local.put(&pdf(1000)).await.unwrap();
    let on_disk = std::fs::read(local.object_path(&KEY)).unwrap();
    assert!(!on_disk.windows(5).any(|window| window == b"%PDF-"));
}

#[tokio::test]
async fn a_missing_directory_is_made() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("var/reports");
    let url = Url::from_directory_path(&directory).unwrap();
    let store = AttachmentStore::from_url(&url, &S3Options::default()).unwrap();
    let body = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"%PDF-"))]);
    store.put(&KEY, &data_key(), body, ANY_SIZE).await.unwrap();
    assert_eq!(files_under(&directory), [directory.join(KEY.to_string())]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_reported_without_its_contents() {
    let local = LocalStore::new();
    std::fs::write(local.object_path(&KEY).parent().unwrap(), "in the way").unwrap();
    let failed = local.put(&pdf(10)).await;
    assert!(matches!(failed, Err(PutError::Storage(_))), "{failed:?}");
}
