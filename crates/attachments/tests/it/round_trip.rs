use attachments::{AttachmentStore, GetError, MediaType, ObjectKey, PutError, S3Options};
use bytes::Bytes;
use futures::TryStreamExt;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{ANY_SIZE, FRAME, KEY, LocalStore, MIB, TENANT, data_key, pdf, pieces};

// printf '%PDF-1.7' | sha256sum
const PDF_SHA256: &str = "86edbaa24831badfa0a8b04bb410141e2ee4182b6d0014493fe262a7a331c20b";

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn files_of_every_boundary_size_come_back() {
    let local = LocalStore::new();
    for size in [
        5,
        8,
        FRAME - 1,
        FRAME,
        FRAME + 1,
        2 * FRAME,
        5 * MIB,
        6 * MIB,
    ] {
        let file = pdf(size);
        let stored = local.put(&file).await.unwrap();
        assert_eq!(stored.media_type, MediaType::Pdf);
        assert_eq!(stored.size_bytes, size as u64);
        assert!(local.get().await.unwrap() == file, "size {size}");
    }
    assert_eq!(local.files(), [local.object_path(&KEY)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn chunks_of_any_size_give_the_same_file(size in 5..200_000_usize, piece in 1..90_000_usize) {
        let (store, data_key, file) = (AttachmentStore::in_memory(), data_key(), pdf(size));
        Runtime::new().unwrap().block_on(async {
            store.put(&KEY, &data_key, pieces(&file, piece), ANY_SIZE).await.unwrap();
            assert_eq!(store.get_bytes(&KEY, &data_key, ANY_SIZE).await.unwrap(), file);
        });
    }
}

#[tokio::test]
async fn the_hash_is_that_of_the_file() {
    let local = LocalStore::new();
    let stored = local.put(&Bytes::from_static(b"%PDF-1.7")).await.unwrap();
    assert_eq!(hex::encode(stored.sha256), PDF_SHA256);
}

#[tokio::test]
async fn a_download_needs_neither_store_nor_key_any_more() {
    let file = pdf(3 * FRAME);
    let frames = {
        let local = LocalStore::new();
        local.put(&file).await.unwrap();
        assert_send(local.store.get(&KEY, &local.data_key))
            .await
            .unwrap()
    };
    let frames: Vec<Bytes> = frames.try_collect().await.unwrap();
    assert_eq!(frames.len(), 3);
    assert_eq!(frames.concat(), file);
}

#[tokio::test]
async fn an_upload_can_run_on_any_thread() {
    let (store, data_key) = (AttachmentStore::in_memory(), data_key());
    assert_send(store.put(&KEY, &data_key, pieces(&pdf(10), 3), ANY_SIZE))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_second_upload_replaces_the_first() {
    let local = LocalStore::new();
    local.put(&pdf(100)).await.unwrap();
    local.put(&pdf(200)).await.unwrap();
    assert_eq!(local.get().await.unwrap(), pdf(200));
}

#[tokio::test]
async fn a_deleted_file_is_gone_and_may_be_deleted_again() {
    let local = LocalStore::new();
    local.put(&pdf(100)).await.unwrap();
    local.store.delete(&KEY).await.unwrap();
    assert!(matches!(local.get().await, Err(GetError::NotFound)));
    assert!(local.files().is_empty());
    local.store.delete(&KEY).await.unwrap();
}

#[tokio::test]
async fn deleting_one_file_spares_the_others() {
    let local = LocalStore::new();
    local.put(&pdf(100)).await.unwrap();
    let other = ObjectKey::new(TENANT, Uuid::from_u128(0x0b));
    local.store.delete(&other).await.unwrap();
    assert_eq!(local.get().await.unwrap(), pdf(100));
}

#[tokio::test]
async fn reading_into_memory_stops_at_the_limit() {
    let local = LocalStore::new();
    local.put(&pdf(1000)).await.unwrap();
    let read = |limit| local.store.get_bytes(&KEY, &local.data_key, limit);
    assert_eq!(read(1000).await.unwrap().len(), 1000);
    assert!(matches!(
        read(999).await,
        Err(GetError::TooLarge { limit_bytes: 999 })
    ));
}

#[tokio::test]
async fn files_of_other_types_are_refused_before_anything_is_stored() {
    let local = LocalStore::new();
    for file in ["GIF89a..", "%PDF", "MZ", "<html>"] {
        let refused = local.put(&Bytes::from(file)).await;
        assert!(matches!(refused, Err(PutError::UnsupportedType)), "{file}");
    }
    let refused = local.put(&Bytes::new()).await;
    assert!(matches!(refused, Err(PutError::Empty)));
    assert!(local.files().is_empty());
}

#[test]
fn locations_of_other_kinds_are_refused() {
    for location in [
        "http://files.example/",
        "file://elsewhere/reports",
        "s3:///prefix",
    ] {
        let url = location.parse().unwrap();
        assert!(
            AttachmentStore::from_url(&url, &S3Options::default()).is_err(),
            "{location}"
        );
    }
}
