use domain::{Lane, WorkId, WorkKind};
use storage::{
    WorkListener,
    work::{Disposition, claim, finish, insert, list_dead_letters, replay_dead_letters},
};
use tokio::time::timeout;

use super::{any_flow, claimed, finish_one, finished, new_work, row};
use crate::support::{LIMIT, now, seconds, stage};

fn dead(reason: &str) -> Disposition {
    Disposition::Dead {
        reason: reason.to_owned(),
    }
}

#[tokio::test]
async fn dead_letters_say_what_died_and_why() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claims = claimed(&mut tx, 3).await;
    let start = now();
    for (n, claim) in claims.iter().enumerate() {
        let at = start + seconds(n as u64);
        let dead = finished(claim, dead(&format!("reason {n}")));
        finish(&mut tx, &[dead], at).await.unwrap();
    }
    let letters = list_dead_letters(&mut tx, WorkKind::Send, 2).await.unwrap();
    let told: Vec<(WorkId, &str)> = letters.iter().map(|it| (it.id, &*it.reason)).collect();
    assert_eq!(
        told,
        [(claims[2].id, "reason 2"), (claims[1].id, "reason 1")]
    );
    assert_eq!(
        (letters[0].subject, letters[0].attempt),
        (claims[2].subject, 1)
    );
    assert_eq!(
        (letters[0].tenant_id, letters[0].died_at),
        (claims[2].tenant_id, start + seconds(2))
    );
    assert_eq!(
        list_dead_letters(&mut tx, WorkKind::Event, 9)
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn a_replayed_letter_is_work_again_with_a_fresh_budget() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let mut work = new_work(any_flow(), Lane::Bulk, now());
    work.pair = Some(vec![1, 2]);
    work.traceparent = Some("00-trace".to_owned());
    insert(
        &mut tx,
        std::slice::from_ref(&work),
        Some(now() + seconds(60)),
    )
    .await
    .unwrap();
    let claims = claim(&mut tx, &[(work.id, 0)], now(), now() + seconds(60))
        .await
        .unwrap();
    assert!(finish_one(&mut tx, &claims[0], dead("given up")).await);
    tx.commit().await.unwrap();

    let mut listener = WorkListener::connect(&stage.worker).await.unwrap();
    let mut tx = stage.work().await;
    let unknown = WorkId::new_at(now());
    let due = now();
    assert_eq!(
        replay_dead_letters(&mut tx, &[unknown, work.id], due)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        list_dead_letters(&mut tx, WorkKind::Send, 9).await.unwrap(),
        []
    );
    tx.commit().await.unwrap();
    let heard = timeout(LIMIT, listener.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(heard.partition, work.flow.partition());

    let mut tx = stage.work().await;
    let row = row(&mut tx, work.id).await.unwrap();
    // The number of claims goes on, so that old hints stay stale.
    assert_eq!(
        (&*row.state, row.failures, row.attempt, row.due_at),
        ("waiting", 0, 1, due)
    );
    let stored = &stage
        .test
        .rows("select partition, lane, traceparent, encode(pair, 'hex') as pair from work")
        .await[0];
    assert_eq!(stored["partition"], work.flow.partition());
    assert_eq!(
        (&stored["lane"], &stored["pair"]),
        (&2.into(), &"0102".into())
    );
    assert_eq!(stored["traceparent"], "00-trace");
}

/// Its subject has been given new work: to replay the old letter would do it twice.
#[tokio::test]
async fn a_letter_whose_subject_has_work_again_is_let_go() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claim = claimed(&mut tx, 1).await.remove(0);
    assert!(finish_one(&mut tx, &claim, dead("given up")).await);
    let mut anew = new_work(claim.flow, Lane::Report, now());
    anew.subject = claim.subject;
    insert(&mut tx, std::slice::from_ref(&anew), None)
        .await
        .unwrap();
    assert_eq!(
        replay_dead_letters(&mut tx, &[claim.id], now())
            .await
            .unwrap(),
        0
    );
    assert!(row(&mut tx, anew.id).await.is_some());
    assert_eq!(row(&mut tx, claim.id).await, None);
}
