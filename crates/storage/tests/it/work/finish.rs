use domain::{Lane, Scope, SenderNumberId, WorkKind};
use storage::{
    News, WorkListener, WorkSignal,
    work::{Disposition, cancel, finish, insert},
};

use super::{any_flow, claimed, finish_one, finished, new_work, next_signal, released, row};
use crate::support::{now, seconds, stage};

fn retry(failed: bool) -> Disposition {
    Disposition::Retry {
        due_at: now() + seconds(30),
        failed,
        reason: "again".to_owned(),
    }
}

fn hold() -> Disposition {
    Disposition::Hold {
        scope: Scope::number(SenderNumberId::new_at(now())),
        reason: "held".to_owned(),
    }
}

fn dead() -> Disposition {
    Disposition::Dead {
        reason: "given up".to_owned(),
    }
}

#[tokio::test]
async fn outcomes_of_all_sorts_are_recorded_together() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claims = claimed(&mut tx, 5).await;
    let dispositions = [Disposition::Done, retry(true), retry(false), hold(), dead()];
    let batch: Vec<_> = claims
        .iter()
        .zip(dispositions)
        .map(|(claim, d)| finished(claim, d))
        .collect();
    let ours = finish(&mut tx, &batch, now()).await.unwrap();
    assert_eq!(ours, claims.iter().map(|claim| claim.id).collect());

    assert_eq!(row(&mut tx, claims[0].id).await, None);
    for (claim, failures) in [(&claims[1], 1), (&claims[2], 0)] {
        let row = row(&mut tx, claim.id).await.unwrap();
        assert_eq!(
            (&*row.state, row.failures, row.attempt),
            ("waiting", failures, 1)
        );
        assert!(row.due_at > now() && row.lease_until.is_none());
        assert_eq!(row.reason.as_deref(), Some("again"));
    }
    let held = row(&mut tx, claims[3].id).await.unwrap();
    assert_eq!(
        (&*held.state, held.reason.as_deref()),
        ("held", Some("held"))
    );
    assert_eq!(row(&mut tx, claims[4].id).await, None);
    // Nothing is finished twice.
    assert!(finish(&mut tx, &batch, now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn every_outcome_is_fenced_by_the_number_of_its_claim() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claim = claimed(&mut tx, 1).await.remove(0);
    let before = row(&mut tx, claim.id).await;
    for attempt in [claim.attempt - 1, claim.attempt + 1] {
        let outdated = storage::work::Claim {
            attempt,
            ..claim.clone()
        };
        for disposition in [Disposition::Done, retry(true), hold(), dead()] {
            assert!(!finish_one(&mut tx, &outdated, disposition).await);
        }
    }
    assert_eq!(row(&mut tx, claim.id).await, before);
    // What waits or is released is nobody's to finish.
    let (id, attempt) = released(&mut tx, 1).await[0];
    let unclaimed = storage::work::Claim {
        id,
        attempt,
        ..claim
    };
    for disposition in [Disposition::Done, retry(true), hold(), dead()] {
        assert!(!finish_one(&mut tx, &unclaimed, disposition).await);
    }
}

/// Room in a flow's window is news for the releaser, and so is what waits again.
#[tokio::test]
async fn an_outcome_wakes_the_releaser() {
    let stage = stage().await;
    for (disposition, news) in [
        (Disposition::Done, News::Room as fn(i16) -> News),
        (hold(), News::Room),
        (dead(), News::Room),
        (retry(true), News::Work),
    ] {
        let mut tx = stage.work().await;
        let claim = claimed(&mut tx, 1).await.remove(0);
        tx.commit().await.unwrap();
        let mut listener = WorkListener::connect(&stage.worker).await.unwrap();
        let mut tx = stage.work().await;
        assert!(finish_one(&mut tx, &claim, disposition).await);
        tx.commit().await.unwrap();
        let told = WorkSignal {
            kind: claim.kind,
            news: news(claim.flow.partition()),
        };
        assert_eq!(next_signal(&mut listener).await, Some(told));
    }
}

#[tokio::test]
async fn cancelling_takes_back_what_nobody_acts_on() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let waiting = new_work(any_flow(), Lane::Report, now());
    let released = new_work(any_flow(), Lane::Report, now());
    let kept = new_work(any_flow(), Lane::Report, now());
    insert(&mut tx, &[waiting.clone(), kept.clone()], None)
        .await
        .unwrap();
    insert(
        &mut tx,
        std::slice::from_ref(&released),
        Some(now() + seconds(5)),
    )
    .await
    .unwrap();
    let claims = claimed(&mut tx, 2).await;
    assert!(finish_one(&mut tx, &claims[1], hold()).await);
    let subjects = [
        waiting.subject,
        released.subject,
        claims[0].subject,
        claims[1].subject,
    ];
    assert_eq!(
        cancel(&mut tx, WorkKind::Event, &subjects).await.unwrap(),
        0
    );
    assert_eq!(cancel(&mut tx, WorkKind::Send, &subjects).await.unwrap(), 3);
    assert_eq!(row(&mut tx, claims[0].id).await.unwrap().state, "claimed");
    assert!(row(&mut tx, kept.id).await.is_some());
    for gone in [waiting.id, released.id, claims[1].id] {
        assert_eq!(row(&mut tx, gone).await, None);
    }
}
