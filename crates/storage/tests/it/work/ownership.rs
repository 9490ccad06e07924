use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::WorkKind;
use storage::work::{Ownership, hold_partitions, yield_partitions};
use uuid::Uuid;

use super::all_partitions;
use crate::support::{Stage, now, seconds, stage};

/// A round of one replica: leases of 15 seconds, in a transaction of its own.
async fn hold(stage: &Stage, replica: Uuid, at: DateTime<Utc>) -> Ownership {
    let mut tx = stage.work().await;
    let held = hold_partitions(&mut tx, WorkKind::Send, replica, at, at + seconds(15))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    held
}

fn replicas(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::new_v4()).collect()
}

/// Asserts that no partition has two owners.
fn together(held: &[Ownership]) -> BTreeSet<i16> {
    let all: BTreeSet<i16> = held
        .iter()
        .flat_map(|held| held.partitions.clone())
        .collect();
    let count: usize = held.iter().map(|held| held.partitions.len()).sum();
    assert_eq!(all.len(), count, "{held:?}");
    all
}

#[tokio::test]
async fn replicas_come_to_fair_shares_within_two_rounds() {
    for (count, shares) in [(1, vec![16]), (2, vec![8, 8]), (3, vec![4, 6, 6])] {
        let stage = stage().await;
        let replicas = replicas(count);
        let start = now();
        let mut held = Vec::new();
        for round in 0..3_u64 {
            held.clear();
            for replica in &replicas {
                held.push(hold(&stage, *replica, start + seconds(round * 5)).await);
            }
        }
        let mut sizes: Vec<usize> = held.iter().map(|held| held.partitions.len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, shares);
        assert_eq!(
            together(&held).into_iter().collect::<Vec<_>>(),
            all_partitions()
        );
        assert!(held.iter().all(|held| held.replicas as usize == count));
    }
}

#[tokio::test]
async fn a_replica_keeps_what_it_has_while_nothing_changes() {
    let stage = stage().await;
    let replicas = replicas(2);
    let start = now();
    for round in 0..3_u64 {
        for replica in &replicas {
            hold(&stage, *replica, start + seconds(round * 5)).await;
        }
    }
    let before = hold(&stage, replicas[0], start + seconds(15)).await;
    let after = hold(&stage, replicas[0], start + seconds(18)).await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn the_partitions_of_a_lost_replica_are_taken_when_its_lease_is_over() {
    let stage = stage().await;
    let replicas = replicas(2);
    let start = now();
    hold(&stage, replicas[0], start).await;
    let second = hold(&stage, replicas[1], start + seconds(1)).await;
    assert!(second.partitions.is_empty(), "{second:?}");
    let still = hold(&stage, replicas[1], start + seconds(14)).await;
    assert_eq!((still.partitions.len(), still.replicas), (0, 2));
    let alone = hold(&stage, replicas[1], start + seconds(15)).await;
    assert_eq!((alone.partitions, alone.replicas), (all_partitions(), 1));
    // The lost one comes back and has no claim to anything.
    let back = hold(&stage, replicas[0], start + seconds(16)).await;
    assert_eq!((back.partitions.len(), back.replicas), (0, 2));
}

#[tokio::test]
async fn what_is_yielded_is_free_at_once() {
    let stage = stage().await;
    let replicas = replicas(2);
    let start = now();
    hold(&stage, replicas[0], start).await;
    let mut tx = stage.work().await;
    yield_partitions(&mut tx, WorkKind::Send, replicas[0])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let alone = hold(&stage, replicas[1], start).await;
    assert_eq!((alone.partitions, alone.replicas), (all_partitions(), 1));
}

#[tokio::test]
async fn kinds_are_shared_out_one_by_one() {
    let stage = stage().await;
    let replicas = replicas(2);
    let start = now();
    hold(&stage, replicas[0], start).await;
    let mut tx = stage.work().await;
    let events = hold_partitions(
        &mut tx,
        WorkKind::Event,
        replicas[1],
        start,
        start + seconds(15),
    )
    .await
    .unwrap();
    assert_eq!((events.partitions, events.replicas), (all_partitions(), 1));
    yield_partitions(&mut tx, WorkKind::Event, replicas[1])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        hold(&stage, replicas[0], start).await.partitions,
        all_partitions()
    );
}

/// All start at once, or come back at once after the database was away.
#[tokio::test]
async fn replicas_at_the_same_instant_neither_share_a_partition_nor_fail() {
    let stage = stage().await;
    let replicas = replicas(4);
    let start = now();
    for round in 0..30_u64 {
        // Every lease is over before the next round.
        let at = start + seconds(round * 20);
        let (a, b, c, d) = tokio::join!(
            hold(&stage, replicas[0], at),
            hold(&stage, replicas[1], at),
            hold(&stage, replicas[2], at),
            hold(&stage, replicas[3], at)
        );
        together(&[a, b, c, d]);
    }
}
