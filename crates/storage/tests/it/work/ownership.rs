use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::{Lane, WorkId, WorkKind};
use storage::{
    News, WorkListener, WorkSignal,
    work::{Ownership, claim_due, hold_partitions, insert, release, yield_partitions},
};
use uuid::Uuid;

use super::{all_partitions, any_flow, new_work, next_signal, signal_of};
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

fn every_partition() -> BTreeSet<i16> {
    all_partitions().into_iter().collect()
}

/// Asserts that no partition has two owners.
fn together(held: &[Ownership]) -> BTreeSet<i16> {
    let all: BTreeSet<i16> = held.iter().flat_map(Ownership::partitions).collect();
    let count: usize = held.iter().map(|held| held.partitions().len()).sum();
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
        let mut sizes: Vec<usize> = held.iter().map(|held| held.partitions().len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, shares);
        assert_eq!(together(&held), every_partition());
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
    assert_eq!(before.partitions(), after.partitions());
    assert!(after.taken.is_empty());
}

#[tokio::test]
async fn the_partitions_of_a_lost_replica_are_taken_when_its_lease_is_over() {
    let stage = stage().await;
    let replicas = replicas(2);
    let start = now();
    hold(&stage, replicas[0], start).await;
    let second = hold(&stage, replicas[1], start + seconds(1)).await;
    assert!(second.partitions().is_empty(), "{second:?}");
    let still = hold(&stage, replicas[1], start + seconds(14)).await;
    assert_eq!((still.partitions().len(), still.replicas), (0, 2));
    let alone = hold(&stage, replicas[1], start + seconds(15)).await;
    assert_eq!((alone.partitions(), alone.replicas), (every_partition(), 1));
    // The lost one comes back and has no claim to anything.
    let back = hold(&stage, replicas[0], start + seconds(16)).await;
    assert_eq!((back.partitions().len(), back.replicas), (0, 2));
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
    assert_eq!((alone.partitions(), alone.replicas), (every_partition(), 1));
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
    assert_eq!(
        (events.partitions(), events.replicas),
        (every_partition(), 1)
    );
    yield_partitions(&mut tx, WorkKind::Event, replicas[1])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        hold(&stage, replicas[0], start).await.partitions(),
        every_partition()
    );
}

/// Every replica hears of what may change its share, once it is committed, and of nothing else.
#[tokio::test]
async fn replicas_are_told_when_one_comes_goes_or_gives_up_partitions() {
    let stage = stage().await;
    let replicas = replicas(2);
    let start = now();
    let mut listener = WorkListener::connect(&stage.worker).await.unwrap();
    hold(&stage, replicas[0], start).await;
    assert_eq!(next_signal(&mut listener).await, OWNERS, "one came");
    hold(&stage, replicas[1], start).await;
    assert_eq!(next_signal(&mut listener).await, OWNERS, "another came");
    hold(&stage, replicas[0], start).await;
    assert_eq!(
        next_signal(&mut listener).await,
        OWNERS,
        "half of it was given up"
    );
    hold(&stage, replicas[1], start).await;
    hold(&stage, replicas[0], start + seconds(5)).await;
    let mut tx = stage.work().await;
    let work = new_work(any_flow(), Lane::Report, start);
    insert(&mut tx, std::slice::from_ref(&work), None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let heard = next_signal(&mut listener).await;
    assert_eq!(heard, Some(signal_of(work.flow)), "nothing changed");
    hold(&stage, replicas[0], start + seconds(16)).await;
    assert_eq!(next_signal(&mut listener).await, OWNERS, "one was lost");
    let mut tx = stage.work().await;
    yield_partitions(&mut tx, WorkKind::Send, replicas[0])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(next_signal(&mut listener).await, OWNERS, "one went");
}

const OWNERS: Option<WorkSignal> = Some(WorkSignal {
    kind: WorkKind::Send,
    news: News::Owners,
});

#[tokio::test]
async fn what_is_kept_and_what_is_taken_are_told_apart() {
    let stage = stage().await;
    let replicas = replicas(2);
    let start = now();
    let first = hold(&stage, replicas[0], start).await;
    assert_eq!((first.kept.len(), first.taken.len()), (0, 16));
    let second = hold(&stage, replicas[0], start + seconds(5)).await;
    assert_eq!((second.kept.len(), second.taken.len()), (16, 0));
    // Its lease is over: in between, they might have been another's.
    let third = hold(&stage, replicas[0], start + seconds(20)).await;
    assert_eq!((third.kept.len(), third.taken.len()), (0, 16));
}

/// What is handed out and not committed yet is seen by whoever owns the partition next: nobody does before.
#[tokio::test]
async fn a_partition_changes_hands_after_what_its_owner_is_handing_out() {
    let stage = stage().await;
    let replicas = replicas(2);
    for (round, is_kept) in [(0, false), (1, true)] {
        let start = now() + seconds(round * 3600);
        hold(&stage, replicas[0], start).await;
        let mut tx = stage.work().await;
        let work = new_work(any_flow(), Lane::Report, start);
        insert(&mut tx, std::slice::from_ref(&work), None)
            .await
            .unwrap();
        tx.commit().await.unwrap();

        let mut handing_out = stage.work().await;
        let (lease, wanted) = (start + seconds(5), [work.id]);
        let gone: Vec<WorkId> = if is_kept {
            let claims = claim_due(&mut handing_out, replicas[0], &wanted, start, lease).await;
            claims.unwrap().iter().map(|claim| claim.id).collect()
        } else {
            let released = release(&mut handing_out, replicas[0], &wanted, start, lease).await;
            released.unwrap()
        };
        assert_eq!(gone, wanted);
        let later = start + seconds(15);
        let mut taking = Box::pin(hold(&stage, replicas[1], later));
        let waits = stage.until_blocked();
        tokio::select! {
            held = &mut taking => panic!("taken too early: {held:?}"),
            () = waits => {}
        }
        handing_out.commit().await.unwrap();
        assert_eq!(taking.await.partitions(), every_partition());
    }
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
