use chrono::{DateTime, Utc};
use domain::{FlowId, Lane, WorkId, WorkKind};
use storage::{
    Connection, WorkListener,
    work::{
        Claim, DeadLetter, DeadLetterFilter, Disposition, claim, count_dead_letters,
        find_dead_letters, finish, insert, list_dead_letters, revive, take_dead_letters,
    },
};

use super::{any_flow, claimed, finish_one, finished, new_work, next_signal, row, signal_of};
use crate::support::{delivery, endpoint, now, seconds, stage};

fn dead(reason: &str) -> Disposition {
    Disposition::Dead {
        reason: reason.to_owned(),
    }
}

/// Claims that died one second after the other, and when the first of them did.
async fn letters(tx: &mut Connection, count: usize) -> (Vec<Claim>, DateTime<Utc>) {
    let (claims, start) = (claimed(tx, count).await, now());
    for (n, claim) in claims.iter().enumerate() {
        let at = start + seconds(n as u64);
        let dead = finished(claim, dead(&format!("Reason {n}")));
        finish(tx, &[dead], at).await.unwrap();
    }
    (claims, start)
}

async fn list(tx: &mut Connection, filter: &DeadLetterFilter) -> Vec<DeadLetter> {
    list_dead_letters(tx, filter, None, 100).await.unwrap()
}

async fn find(tx: &mut Connection, id: WorkId) -> DeadLetter {
    let mut found = find_dead_letters(tx, &[id]).await.unwrap();
    found.pop().unwrap()
}

#[tokio::test]
async fn dead_letters_say_what_died_and_why() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let (claims, start) = letters(&mut tx, 3).await;
    let letter = find(&mut tx, claims[2].id).await;
    assert_eq!(
        (letter.kind, letter.subject, letter.attempt, &*letter.reason),
        (WorkKind::Send, claims[2].subject, 1, "Reason 2")
    );
    assert_eq!(
        (letter.flow, letter.lane, letter.tenant_id),
        (claims[2].flow, claims[2].lane, claims[2].tenant_id)
    );
    assert_eq!(
        (letter.created_at, letter.died_at),
        (claims[2].created_at, start + seconds(2))
    );
    assert_eq!(letter.message_id.unwrap().as_uuid(), claims[2].subject);
    let counted = count_dead_letters(&mut tx).await.unwrap();
    assert_eq!(counted, [(WorkKind::Send, 3)]);
}

#[tokio::test]
async fn dead_letters_come_in_pages_the_latest_first() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let (claims, _) = letters(&mut tx, 5).await;
    let filter = DeadLetterFilter::default();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = list_dead_letters(&mut tx, &filter, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.died_at, last.id));
        seen.extend(page.iter().map(|letter| letter.id));
    }
    let died: Vec<WorkId> = claims.iter().rev().map(|claim| claim.id).collect();
    assert_eq!(seen, died);
}

#[tokio::test]
async fn a_filter_finds_what_all_of_it_fits() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let (claims, start) = letters(&mut tx, 4).await;
    let all = DeadLetterFilter::default();
    let of = |filter: DeadLetterFilter, expected: &'static [usize]| (filter, expected);
    let cases = [
        of(all.clone(), &[3, 2, 1, 0]),
        of(
            DeadLetterFilter {
                kind: Some(WorkKind::Event),
                ..all.clone()
            },
            &[],
        ),
        of(
            DeadLetterFilter {
                tenant_id: claims[1].tenant_id,
                ..all.clone()
            },
            &[1],
        ),
        of(
            DeadLetterFilter {
                reason: Some("reaSON 2".to_owned()),
                ..all.clone()
            },
            &[2],
        ),
        // No pattern: these stand for themselves.
        of(
            DeadLetterFilter {
                reason: Some("%".to_owned()),
                ..all.clone()
            },
            &[],
        ),
        of(
            DeadLetterFilter {
                kind: Some(WorkKind::Send),
                died_after: Some(start),
                died_before: Some(start + seconds(3)),
                ..all.clone()
            },
            &[2, 1],
        ),
    ];
    for (filter, expected) in cases {
        let found = list(&mut tx, &filter).await;
        let found: Vec<WorkId> = found.iter().map(|letter| letter.id).collect();
        let expected: Vec<WorkId> = expected.iter().map(|n| claims[*n].id).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    assert!(all.is_open());
}

#[tokio::test]
async fn a_dead_callback_names_the_message_that_it_tells_of() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let message = stage.message(lab).await;
    let mut tx = stage.owner.begin().await.unwrap();
    let endpoint = endpoint(&mut tx, lab, "https://lims.example.test/hook").await;
    let delivery = delivery(&mut tx, &endpoint).await;
    sqlx::query("update callback_deliveries set message_id = $1")
        .bind(message.as_uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    let mut work = new_work(any_flow(), Lane::Report, now());
    (work.kind, work.subject) = (WorkKind::Callback, delivery.id.as_uuid());
    let lease = now() + seconds(60);
    insert(&mut tx, std::slice::from_ref(&work), Some(lease))
        .await
        .unwrap();
    let claims = claim(&mut tx, &[(work.id, 0)], now(), lease).await.unwrap();
    assert!(finish_one(&mut tx, &claims[0], dead("gone")).await);

    assert_eq!(find(&mut tx, work.id).await.message_id, Some(message));
    let listed = list(&mut tx, &DeadLetterFilter::default()).await;
    assert_eq!(listed[0].message_id, Some(message));
}

#[tokio::test]
async fn a_revived_letter_is_work_again_with_a_fresh_budget() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let mut work = new_work(any_flow(), Lane::Bulk, now());
    work.pair = Some(vec![1, 2]);
    work.traceparent = Some("00-trace".to_owned());
    let lease = now() + seconds(60);
    insert(&mut tx, std::slice::from_ref(&work), Some(lease))
        .await
        .unwrap();
    let claims = claim(&mut tx, &[(work.id, 0)], now(), lease).await.unwrap();
    assert!(finish_one(&mut tx, &claims[0], dead("given up")).await);
    tx.commit().await.unwrap();

    let mut listener = WorkListener::connect(&stage.worker).await.unwrap();
    let mut tx = stage.work().await;
    let (unknown, due) = (WorkId::new_at(now()), now());
    let letter = find(&mut tx, work.id).await;
    let taken = take_dead_letters(&mut tx, &[unknown, work.id])
        .await
        .unwrap();
    assert_eq!(taken, [work.id].into());
    assert_eq!(list(&mut tx, &DeadLetterFilter::default()).await, []);
    let revived = revive(&mut tx, &[&letter], due).await.unwrap();
    assert_eq!(revived, [work.id].into());
    tx.commit().await.unwrap();
    assert_eq!(next_signal(&mut listener).await, Some(signal_of(work.flow)));

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

/// A message that was given up and is tried again must not go out later than it might have.
#[tokio::test]
async fn a_revived_send_expires_as_its_message_does() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let message = stage.message(lab).await;
    let mut tx = stage.work().await;
    let claim = super::claim_subject(&mut tx, message.as_uuid()).await;
    assert!(finish_one(&mut tx, &claim, dead("given up")).await);
    let letter = find(&mut tx, claim.id).await;
    take_dead_letters(&mut tx, &[claim.id]).await.unwrap();
    revive(&mut tx, &[&letter], now()).await.unwrap();
    tx.commit().await.unwrap();
    let kept = "select work.expires_at = messages.expires_at as kept from work join messages on messages.id = subject";
    assert_eq!(stage.test.rows(kept).await[0]["kept"], true);
}

/// Its subject has been given new work: to revive the old letter would do it twice.
#[tokio::test]
async fn a_letter_whose_subject_has_work_again_is_let_go() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claim = claimed(&mut tx, 1).await.remove(0);
    assert!(finish_one(&mut tx, &claim, dead("given up")).await);
    let letter = find(&mut tx, claim.id).await;
    let mut anew = new_work(claim.flow, Lane::Report, now());
    anew.subject = claim.subject;
    insert(&mut tx, std::slice::from_ref(&anew), None)
        .await
        .unwrap();
    take_dead_letters(&mut tx, &[claim.id]).await.unwrap();
    let revived = revive(&mut tx, &[&letter], now()).await.unwrap();
    assert!(revived.is_empty());
    assert!(row(&mut tx, anew.id).await.is_some());
    assert_eq!(row(&mut tx, claim.id).await, None);
}

#[tokio::test]
async fn of_two_who_take_a_letter_one_gets_it() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let (claims, _) = letters(&mut tx, 1).await;
    tx.commit().await.unwrap();
    let take = async || {
        let mut tx = stage.work().await;
        let taken = take_dead_letters(&mut tx, &[claims[0].id]).await.unwrap();
        tx.commit().await.unwrap();
        taken.len()
    };
    let (one, other) = tokio::join!(take(), take());
    assert_eq!(one + other, 1);
}

/// The gateway may do all of this for its own tenant, and nothing for another.
#[tokio::test]
async fn a_lab_takes_and_revives_its_own_letters_only() {
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    let mut tx = stage.work().await;
    let flow = FlowId::from_uuid(lab.number.as_uuid());
    let mut work = new_work(flow, Lane::Report, now());
    work.tenant_id = Some(lab.tenant);
    let lease = now() + seconds(60);
    insert(&mut tx, std::slice::from_ref(&work), Some(lease))
        .await
        .unwrap();
    let claims = claim(&mut tx, &[(work.id, 0)], now(), lease).await.unwrap();
    assert!(finish_one(&mut tx, &claims[0], dead("given up")).await);
    let letter = find(&mut tx, work.id).await;
    tx.commit().await.unwrap();

    let mut tx = stage.gateway.begin_for(&[other.tenant]).await.unwrap();
    let ids = [work.id];
    assert_eq!(find_dead_letters(&mut tx, &ids).await.unwrap(), []);
    assert_eq!(list(&mut tx, &DeadLetterFilter::default()).await, []);
    assert!(take_dead_letters(&mut tx, &ids).await.unwrap().is_empty());
    assert!(revive(&mut tx, &[&letter], now()).await.is_err());
    drop(tx);

    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    assert_eq!(take_dead_letters(&mut tx, &ids).await.unwrap().len(), 1);
    assert_eq!(revive(&mut tx, &[&letter], now()).await.unwrap().len(), 1);
}
