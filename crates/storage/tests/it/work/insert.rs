use domain::{Lane, WorkKind};
use storage::{WorkListener, WorkSignal, work::insert};

use super::{any_flow, new_work, next_signal, row, signal_of};
use crate::support::{now, seconds, stage};

#[tokio::test]
async fn committed_work_is_heard_and_no_other() {
    let stage = stage().await;
    let mut listener = WorkListener::connect(&stage.worker).await.unwrap();
    let (forgotten, mut work) = (
        new_work(any_flow(), Lane::Report, now()),
        new_work(any_flow(), Lane::Report, now()),
    );
    work.kind = WorkKind::Callback;
    let mut tx = stage.work().await;
    insert(&mut tx, &[forgotten], None).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = stage.work().await;
    insert(&mut tx, std::slice::from_ref(&work), None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let expected = WorkSignal {
        kind: WorkKind::Callback,
        ..signal_of(work.flow)
    };
    assert_eq!(next_signal(&mut listener).await, Some(expected));
}

#[tokio::test]
async fn a_listener_that_lost_its_connection_says_so_and_listens_again() {
    let stage = stage().await;
    // As the owner, who may end its own connections.
    let mut listener = WorkListener::connect(&stage.owner).await.unwrap();
    stage
        .test
        .rows("select pg_terminate_backend(pid) as cut from pg_stat_activity where query ilike 'listen%' and datname = current_database()")
        .await;
    let lost = next_signal(&mut listener).await;
    assert_eq!(lost, None);
    let work = new_work(any_flow(), Lane::Report, now());
    let mut tx = stage.work().await;
    insert(&mut tx, std::slice::from_ref(&work), None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(next_signal(&mut listener).await, Some(signal_of(work.flow)));
}

#[tokio::test]
async fn a_subject_has_one_work() {
    let stage = stage().await;
    let flow = any_flow();
    let first = new_work(flow, Lane::Report, now());
    let mut second = new_work(flow, Lane::Report, now());
    second.subject = first.subject;
    let mut tx = stage.work().await;
    insert(&mut tx, std::slice::from_ref(&first), None)
        .await
        .unwrap();
    insert(&mut tx, std::slice::from_ref(&second), None)
        .await
        .unwrap();
    assert!(row(&mut tx, first.id).await.is_some());
    assert_eq!(row(&mut tx, second.id).await, None);
}

#[tokio::test]
async fn work_born_released_has_a_lease_and_is_signalled_to_nobody() {
    let stage = stage().await;
    let mut listener = WorkListener::connect(&stage.worker).await.unwrap();
    let (released, waiting) = (
        new_work(any_flow(), Lane::Report, now()),
        new_work(any_flow(), Lane::Report, now()),
    );
    let lease = now() + seconds(5);
    let mut tx = stage.work().await;
    insert(&mut tx, std::slice::from_ref(&released), Some(lease))
        .await
        .unwrap();
    let stored = row(&mut tx, released.id).await.unwrap();
    assert_eq!(
        (&*stored.state, stored.lease_until),
        ("released", Some(lease))
    );
    tx.commit().await.unwrap();
    let mut tx = stage.work().await;
    insert(&mut tx, std::slice::from_ref(&waiting), None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        next_signal(&mut listener).await,
        Some(signal_of(waiting.flow))
    );
}
