use domain::{Lane, WorkId, WorkKind};
use storage::work::{
    self, Disposition, NewWork, begin, claim, claim_abandoned, claim_due, reclaim_released,
};
use uuid::Uuid;

use super::{
    all_partitions, any_flow, claimed, commits_how, finish_one, new_work, released, row, sole_owner,
};
use crate::support::{now, seconds, stage};

#[tokio::test]
async fn a_hint_claims_once() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let hints = released(&mut tx, 3).await;
    let lease = now() + seconds(60);
    let claims = claim(&mut tx, &hints, now(), lease).await.unwrap();
    let mut ids: Vec<WorkId> = claims.iter().map(|claim| claim.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, hints.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    assert!(
        claims
            .iter()
            .all(|claim| claim.attempt == 1 && !claim.begun)
    );
    assert_eq!(row(&mut tx, ids[0]).await.unwrap().lease_until, Some(lease));
    assert_eq!(claim(&mut tx, &hints, now(), lease).await.unwrap(), []);
}

/// Of a send a claim is on the disk before anybody knows of it: after a crash of the server its number would be another's.
#[tokio::test]
async fn only_the_claim_of_a_send_waits_for_the_disk() {
    let stage = stage().await;
    let mut commits = Vec::new();
    for kind in [WorkKind::Send, WorkKind::Event, WorkKind::Callback] {
        let mut tx = stage.work().await;
        // As it is where it matters.
        let durable = sqlx::query("set local synchronous_commit = on");
        durable.execute(&mut *tx).await.unwrap();
        let new = NewWork {
            kind,
            ..new_work(any_flow(), Lane::Report, now())
        };
        let lease = now() + seconds(60);
        work::insert(&mut tx, std::slice::from_ref(&new), Some(lease))
            .await
            .unwrap();
        let claims = claim(&mut tx, &[(new.id, 0)], now(), lease).await.unwrap();
        assert_eq!(claims.len(), 1);
        commits.push(commits_how(&mut tx).await);
        drop(tx);

        let mut tx = stage.work().await;
        let durable = sqlx::query("set local synchronous_commit = on");
        durable.execute(&mut *tx).await.unwrap();
        work::insert(&mut tx, std::slice::from_ref(&new), None)
            .await
            .unwrap();
        let owner = Uuid::new_v4();
        work::hold_partitions(&mut tx, kind, owner, now(), lease)
            .await
            .unwrap();
        let claims = claim_due(&mut tx, owner, &[new.id], now(), lease).await;
        assert_eq!(claims.unwrap().len(), 1);
        commits.push(commits_how(&mut tx).await);
    }
    assert_eq!(commits, ["on", "on", "off", "off", "off", "off"]);
}

#[tokio::test]
async fn only_the_owner_of_a_partition_claims_without_a_hint_and_only_what_waits() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let waiting = new_work(any_flow(), Lane::Report, now());
    work::insert(&mut tx, std::slice::from_ref(&waiting), None)
        .await
        .unwrap();
    let out = released(&mut tx, 1).await[0].0;
    let wanted = [waiting.id, out];
    let (stranger, owner) = (Uuid::new_v4(), sole_owner(&mut tx).await);
    let lease = now() + seconds(60);
    let much_later = now() + seconds(601);
    // The second owns it no longer, though nobody took the partition yet.
    for (who, when) in [(stranger, now()), (owner, much_later)] {
        let claims = claim_due(&mut tx, who, &wanted, when, lease).await.unwrap();
        assert_eq!(claims, []);
    }
    let claims = claim_due(&mut tx, owner, &wanted, now(), lease)
        .await
        .unwrap();
    let [claim] = claims.as_slice() else {
        panic!("{claims:?}")
    };
    assert_eq!(
        (claim.id, claim.attempt, claim.begun),
        (waiting.id, 1, false)
    );
    let stored = row(&mut tx, waiting.id).await.unwrap();
    assert_eq!(
        (&*stored.state, stored.lease_until, stored.reason),
        ("claimed", Some(lease), None)
    );
    let again = claim_due(&mut tx, owner, &wanted, now(), lease).await;
    assert_eq!(again.unwrap(), []);
}

#[tokio::test]
async fn a_stale_hint_claims_nothing() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let (id, attempt) = released(&mut tx, 1).await[0];
    let lease = now() + seconds(600);
    for stale in [attempt - 1, attempt + 1] {
        assert_eq!(
            claim(&mut tx, &[(id, stale)], now(), lease).await.unwrap(),
            []
        );
    }
    // Its lease is over: it may be released again at any moment, by another hint.
    let later = now() + seconds(61);
    assert_eq!(
        claim(&mut tx, &[(id, attempt)], later, lease)
            .await
            .unwrap(),
        []
    );
    let waiting = new_work(any_flow(), Lane::Report, now());
    work::insert(&mut tx, std::slice::from_ref(&waiting), None)
        .await
        .unwrap();
    assert_eq!(
        claim(&mut tx, &[(waiting.id, 0)], now(), lease)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        claim(&mut tx, &[(id, attempt)], now(), lease)
            .await
            .unwrap()
            .len(),
        1
    );
}

/// The broker delivers at least once: to two consumers at the same time, if it comes to that.
#[tokio::test]
async fn of_consumers_with_the_same_hints_each_work_goes_to_one() {
    let stage = stage().await;
    for _ in 0..10 {
        let mut tx = stage.work().await;
        let hints = released(&mut tx, 20).await;
        tx.commit().await.unwrap();
        let lease = now() + seconds(60);
        let consume = async || {
            let mut connection = stage.worker.acquire().await.unwrap();
            claim(&mut connection, &hints, now(), lease).await.unwrap()
        };
        let (one, two, three) = tokio::join!(consume(), consume(), consume());
        let mut ids: Vec<WorkId> = [one, two, three].concat().iter().map(|c| c.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, hints.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_claim_begins_once_and_only_while_it_is_held() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claim = claimed(&mut tx, 1).await.remove(0);
    let lease = now() + seconds(90);
    for stale in [claim.attempt - 1, claim.attempt + 1] {
        assert_eq!(
            begin(&mut tx, &[(claim.id, stale)], lease).await.unwrap(),
            []
        );
    }
    let ours = [(claim.id, claim.attempt)];
    assert_eq!(begin(&mut tx, &ours, lease).await.unwrap(), ours);
    let row = row(&mut tx, claim.id).await.unwrap();
    assert_eq!((row.begun, row.lease_until), (true, Some(lease)));
    assert_eq!(begin(&mut tx, &ours, lease).await.unwrap(), []);
}

#[tokio::test]
async fn a_claim_that_was_taken_over_cannot_begin_or_finish() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let lost = claimed(&mut tx, 1).await.remove(0);
    let later = now() + seconds(61);
    let taken = claim_abandoned(
        &mut tx,
        WorkKind::Send,
        &all_partitions(),
        later,
        later + seconds(60),
    )
    .await
    .unwrap()
    .remove(0);
    assert_eq!((taken.id, taken.attempt), (lost.id, lost.attempt + 1));
    assert_eq!(
        begin(&mut tx, &[(lost.id, lost.attempt)], later)
            .await
            .unwrap(),
        []
    );
    assert!(!finish_one(&mut tx, &lost, Disposition::Done).await);
    assert!(finish_one(&mut tx, &taken, Disposition::Done).await);
}

#[tokio::test]
async fn work_released_and_never_claimed_waits_again_when_its_lease_is_over() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let (id, attempt) = released(&mut tx, 1).await[0];
    let other = claimed(&mut tx, 1).await.remove(0);
    let all = all_partitions();
    let soon = now();
    assert_eq!(
        reclaim_released(&mut tx, WorkKind::Send, &all, soon)
            .await
            .unwrap(),
        0
    );
    let later = soon + seconds(61);
    assert_eq!(
        reclaim_released(&mut tx, WorkKind::Event, &all, later)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        reclaim_released(&mut tx, WorkKind::Send, &[], later)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        reclaim_released(&mut tx, WorkKind::Send, &all, later)
            .await
            .unwrap(),
        1
    );
    let released = row(&mut tx, id).await.unwrap();
    assert_eq!((&*released.state, released.attempt), ("waiting", attempt));
    assert_eq!(row(&mut tx, other.id).await.unwrap().state, "claimed");
}

#[tokio::test]
async fn an_abandoned_claim_tells_whether_it_had_begun() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claims = claimed(&mut tx, 3).await;
    let start = now();
    let begun = [(claims[1].id, claims[1].attempt)];
    begin(&mut tx, &begun, start + seconds(60)).await.unwrap();
    let renewed = [(claims[2].id, claims[2].attempt)];
    begin(&mut tx, &renewed, start + seconds(120))
        .await
        .unwrap();
    let all = all_partitions();
    let take = async |tx: &mut storage::Connection, after: u64| {
        let at = start + seconds(after);
        let mut taken = claim_abandoned(tx, WorkKind::Send, &all, at, at + seconds(60))
            .await
            .unwrap();
        taken.sort_by_key(|claim| claim.id);
        taken
            .iter()
            .map(|claim| (claim.id, claim.begun))
            .collect::<Vec<_>>()
    };
    assert_eq!(take(&mut tx, 30).await, []);
    let mut expected = vec![(claims[0].id, false), (claims[1].id, true)];
    expected.sort_unstable();
    assert_eq!(take(&mut tx, 61).await, expected);
    assert_eq!(take(&mut tx, 119).await, []);
    // Whoever took it over died, too: the send before that may have been made all the same.
    let third = take(&mut tx, 122).await;
    expected.push((claims[2].id, true));
    expected.sort_unstable();
    assert_eq!(third, expected);
}

/// A consumer that is just recording its outcome, a moment too late, goes first.
#[tokio::test]
async fn a_claim_whose_outcome_is_being_written_is_not_taken_over() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claim = claimed(&mut tx, 1).await.remove(0);
    tx.commit().await.unwrap();
    let mut recording = stage.work().await;
    assert!(finish_one(&mut recording, &claim, Disposition::Done).await);
    let mut sweep = stage.work().await;
    let later = now() + seconds(61);
    let taken = claim_abandoned(&mut sweep, WorkKind::Send, &all_partitions(), later, later)
        .await
        .unwrap();
    assert_eq!(taken, []);
    recording.commit().await.unwrap();
}

#[tokio::test]
async fn a_new_claim_has_not_begun_although_an_earlier_one_had() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let first = claimed(&mut tx, 1).await.remove(0);
    begin(&mut tx, &[(first.id, first.attempt)], now() + seconds(60))
        .await
        .unwrap();
    let again = Disposition::Retry {
        due_at: now(),
        failed: true,
        reason: "again".to_owned(),
    };
    assert!(finish_one(&mut tx, &first, again).await);
    let second = super::claim_subject(&mut tx, first.subject).await;
    assert_eq!(
        (second.attempt, second.failures, second.begun),
        (2, 1, false)
    );
    assert_eq!(
        begin(&mut tx, &[(first.id, 1)], now() + seconds(60))
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        begin(
            &mut tx,
            &[(first.id, 1), (first.id, 2)],
            now() + seconds(60)
        )
        .await
        .unwrap(),
        [(first.id, 2)],
        "a lost claim and its successor in one batch"
    );
}
