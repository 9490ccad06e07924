use std::fs;

use attachments::{GetError, ObjectKey};
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{ANY_SIZE, FRAME, KEY, LocalStore, TENANT, data_key, pdf};

const HEADER: usize = 33;
const SEALED_FRAME: usize = FRAME + 16;

impl LocalStore {
    fn rewrite(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.object_path(&KEY);
        let mut sealed = fs::read(&path).unwrap();
        change(&mut sealed);
        fs::write(path, sealed).unwrap();
    }

    async fn assert_refused(&self, what: &str) {
        let opened = self.get().await;
        assert!(matches!(opened, Err(GetError::Sealed(_))), "{what}");
    }
}

#[tokio::test]
async fn a_file_cut_short_on_the_disk_is_refused() {
    let local = LocalStore::new();
    for kept in [
        0,
        1,
        HEADER,
        HEADER + 16,
        HEADER + SEALED_FRAME,
        HEADER + SEALED_FRAME + 100,
    ] {
        local.put(&pdf(3 * FRAME)).await.unwrap();
        local.rewrite(|sealed| sealed.truncate(kept));
        local.assert_refused(&format!("kept {kept}")).await;
    }
}

#[tokio::test]
async fn frames_swapped_on_the_disk_are_refused() {
    let local = LocalStore::new();
    local.put(&pdf(3 * FRAME)).await.unwrap();
    local.rewrite(|sealed| {
        let (_, frames) = sealed.split_at_mut(HEADER);
        let (first, second) = frames.split_at_mut(SEALED_FRAME);
        first.swap_with_slice(second.split_at_mut(SEALED_FRAME).0);
    });
    local.assert_refused("swapped").await;
}

#[tokio::test]
async fn bytes_appended_on_the_disk_are_refused() {
    let local = LocalStore::new();
    for size in [10, FRAME] {
        local.put(&pdf(size)).await.unwrap();
        local.rewrite(|sealed| sealed.push(0));
        local.assert_refused(&format!("size {size}")).await;
    }
}

#[tokio::test]
async fn a_file_put_in_the_place_of_another_is_refused() {
    let local = LocalStore::new();
    local.put(&pdf(100)).await.unwrap();
    for elsewhere in [
        ObjectKey::new(TENANT, Uuid::from_u128(0x0b)),
        ObjectKey::new(Uuid::from_u128(0x02), Uuid::from_u128(0x0a)),
    ] {
        let path = local.object_path(&elsewhere);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(local.object_path(&KEY), path).unwrap();
        let opened = local
            .store
            .get_bytes(&elsewhere, &local.data_key, ANY_SIZE)
            .await;
        assert!(matches!(opened, Err(GetError::Sealed(_))), "{elsewhere}");
    }
}

#[tokio::test]
async fn another_data_key_does_not_open_a_file() {
    let local = LocalStore::new();
    local.put(&pdf(100)).await.unwrap();
    let opened = local.store.get_bytes(&KEY, &data_key(), ANY_SIZE).await;
    assert!(matches!(opened, Err(GetError::Sealed(_))));
}

#[tokio::test]
async fn a_download_of_a_damaged_file_stops_before_the_damage() {
    let local = LocalStore::new();
    local.put(&pdf(3 * FRAME)).await.unwrap();
    local.rewrite(|sealed| *sealed.last_mut().unwrap() ^= 1);
    let mut frames = local.store.get(&KEY, &local.data_key).await.unwrap();
    for _ in 0..2 {
        assert_eq!(frames.try_next().await.unwrap().unwrap().len(), FRAME);
    }
    assert!(matches!(frames.try_next().await, Err(GetError::Sealed(_))));
    assert!(frames.next().await.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_bit_flipped_anywhere_on_the_disk_is_refused(
        byte: prop::sample::Index,
        bit in 0..8,
    ) {
        let local = LocalStore::new();
        Runtime::new().unwrap().block_on(async {
            local.put(&pdf(FRAME + 100)).await.unwrap();
            local.rewrite(|sealed| *byte.get_mut(sealed) ^= 1_u8 << bit);
            local.assert_refused("flipped").await;
        });
    }
}
