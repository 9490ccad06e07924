use domain::{Lane, Scope, WorkKind};
use storage::{
    WorkListener,
    work::{Disposition, insert, lock_work, restart},
};

use super::{any_flow, claimed, finish_one, new_work, next_signal, row, signal_of};
use crate::support::{now, seconds, stage};

fn hold() -> Disposition {
    Disposition::Hold {
        scope: Scope::message(domain::MessageId::new_at(now())),
        reason: "waiting for a decision".to_owned(),
    }
}

fn later() -> Disposition {
    Disposition::Retry {
        due_at: now() + seconds(600),
        failed: true,
        reason: "waiting for news".to_owned(),
    }
}

#[tokio::test]
async fn work_that_waits_for_something_is_due_at_its_old_place() {
    let stage = stage().await;
    for waits in [hold(), later()] {
        let mut tx = stage.work().await;
        let claim = claimed(&mut tx, 1).await.remove(0);
        assert!(finish_one(&mut tx, &claim, waits).await);
        tx.commit().await.unwrap();
        let mut listener = WorkListener::connect(&stage.worker).await.unwrap();
        let mut tx = stage.work().await;
        let locked = lock_work(&mut tx, WorkKind::Send, claim.subject)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((locked.id, locked.is_claimed), (claim.id, false));
        assert!(restart(&mut tx, claim.id).await.unwrap());
        tx.commit().await.unwrap();

        let mut tx = stage.work().await;
        let row = row(&mut tx, claim.id).await.unwrap();
        assert_eq!(
            (&*row.state, row.due_at, row.reason),
            ("waiting", claim.created_at, None)
        );
        // The number of claims goes on, so that old hints stay stale.
        assert_eq!((row.attempt, row.failures), (claim.attempt, 0));
        assert_eq!(
            next_signal(&mut listener).await,
            Some(signal_of(claim.flow))
        );
    }
}

#[tokio::test]
async fn work_on_its_way_to_a_consumer_is_called_back() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let work = new_work(any_flow(), Lane::Report, now());
    let lease = now() + seconds(60);
    insert(&mut tx, std::slice::from_ref(&work), Some(lease))
        .await
        .unwrap();
    assert!(restart(&mut tx, work.id).await.unwrap());
    let row = row(&mut tx, work.id).await.unwrap();
    assert_eq!((&*row.state, row.lease_until), ("waiting", None));
}

#[tokio::test]
async fn work_in_a_consumers_hands_is_left_there() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claim = claimed(&mut tx, 1).await.remove(0);
    let locked = lock_work(&mut tx, WorkKind::Send, claim.subject)
        .await
        .unwrap();
    assert!(locked.unwrap().is_claimed);
    assert!(!restart(&mut tx, claim.id).await.unwrap());
    assert_eq!(row(&mut tx, claim.id).await.unwrap().state, "claimed");
    let other = lock_work(&mut tx, WorkKind::Event, claim.subject).await;
    assert_eq!(other.unwrap(), None);
}

#[tokio::test]
async fn locked_work_cannot_be_locked_by_another() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claim = claimed(&mut tx, 1).await.remove(0);
    assert!(finish_one(&mut tx, &claim, hold()).await);
    tx.commit().await.unwrap();
    let mut first = stage.work().await;
    lock_work(&mut first, WorkKind::Send, claim.subject)
        .await
        .unwrap();
    let second = async {
        let mut tx = stage.work().await;
        lock_work(&mut tx, WorkKind::Send, claim.subject)
            .await
            .unwrap()
    };
    let end = async {
        stage.until_blocked().await;
        storage::work::cancel(&mut first, WorkKind::Send, &[claim.subject])
            .await
            .unwrap();
        first.commit().await.unwrap();
    };
    let (found, ()) = tokio::join!(second, end);
    assert_eq!(found, None);
}
