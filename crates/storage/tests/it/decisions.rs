use domain::{Decider, Decision, Losses, MessageId, MessageState, Scope, WorkKind};
use storage::{
    decisions::{NewDecision, count_decisions, insert_decisions},
    messages::{
        Doubt, Doubts, HistoryFilter, count_doubts, find_state, list_history, list_in_doubt,
        update_states,
    },
    work::{Disposition, Finished, finish},
};

use crate::{
    support::{Lab, Stage, now, seconds, stage},
    work::claim_subject,
};

/// A message in doubt since so many seconds, parked or still waiting for news.
async fn in_doubt(stage: &Stage, lab: Lab, age: u64, parked: bool) -> MessageId {
    let id = stage.message(lab).await;
    let mut tx = stage.work().await;
    let mut row = find_state(&mut tx, id).await.unwrap().unwrap();
    row.delivery.base = MessageState::Unconfirmed;
    row.unconfirmed_at = Some(now() - seconds(age));
    update_states(&mut tx, &[row]).await.unwrap();
    let claim = claim_subject(&mut tx, id.as_uuid()).await;
    let disposition = if parked {
        Disposition::Hold {
            scope: Scope::message(id),
            reason: "waiting for a decision".to_owned(),
        }
    } else {
        Disposition::Retry {
            due_at: now() + seconds(60),
            failed: false,
            reason: "waiting for news".to_owned(),
        }
    };
    let finished = Finished {
        id: claim.id,
        attempt: claim.attempt,
        losses: Losses::default(),
        disposition,
    };
    finish(&mut tx, &[finished], now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn what_is_in_doubt_is_counted_and_listed_the_longest_first() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let waiting = in_doubt(&stage, lab, 300, false).await;
    let parked = in_doubt(&stage, lab, 200, true).await;
    let fresh = in_doubt(&stage, lab, 100, true).await;
    stage.message(lab).await;
    // Somebody decided that it was not sent: queued, though it was in doubt.
    let decided = in_doubt(&stage, lab, 400, true).await;
    let mut tx = stage.work().await;
    let mut row = find_state(&mut tx, decided).await.unwrap().unwrap();
    row.delivery.base = MessageState::Queued;
    update_states(&mut tx, &[row]).await.unwrap();

    let Doubts {
        unconfirmed,
        parked: counted,
        parked_since,
    } = count_doubts(&mut tx).await.unwrap();
    assert_eq!((unconfirmed, counted), (3, 2));
    let oldest = find_state(&mut tx, parked).await.unwrap().unwrap();
    assert_eq!(parked_since, oldest.unconfirmed_at);

    // A send that was given up waits for somebody just as well.
    sqlx::query("delete from work where subject = $1")
        .bind(fresh.as_uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    assert_eq!(count_doubts(&mut tx).await.unwrap().parked, 2);
    let all = list_in_doubt(&mut tx, false, 10).await.unwrap();
    let ids: Vec<MessageId> = all.iter().map(|it| it.message_id).collect();
    assert_eq!(ids, [waiting, parked, fresh]);
    assert!(!all[0].doubt.is_parked && all[0].due_at.is_some());
    for parked in &all[1..] {
        assert!(parked.doubt.is_parked && parked.due_at.is_none());
    }
    assert_eq!(all[1].tenant_id, lab.tenant);
    let only_parked = list_in_doubt(&mut tx, true, 1).await.unwrap();
    assert_eq!(only_parked, all[1..2]);
}

#[tokio::test]
async fn the_history_says_of_a_message_in_doubt_since_when_and_whether_it_is_parked() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (waiting, parked, given_up) = (
        in_doubt(&stage, lab, 300, false).await,
        in_doubt(&stage, lab, 200, true).await,
        in_doubt(&stage, lab, 100, false).await,
    );
    let delete = format!("delete from work where subject = '{}'", given_up.as_uuid());
    stage.test.execute(&delete).await;
    let queued = stage.message(lab).await;
    let filter = HistoryFilter {
        tenant_id: lab.tenant,
        state: None,
        from: None,
        until: None,
        limit: 10,
        offset: 0,
    };
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let rows = list_history(&mut tx, &filter).await.unwrap();
    for (id, expected) in [
        (waiting, Some(false)),
        (parked, Some(true)),
        (given_up, Some(true)),
        (queued, None),
    ] {
        let row = rows.iter().find(|row| row.id == id).unwrap();
        let stored = find_state(&mut tx, id).await.unwrap().unwrap();
        let doubt = expected.map(|is_parked| Doubt {
            since: stored.unconfirmed_at.unwrap(),
            is_parked,
        });
        assert_eq!(row.doubt, doubt);
    }
}

fn decision(lab: Option<Lab>, decision: Decision, kind: WorkKind) -> NewDecision {
    NewDecision {
        tenant_id: lab.map(|lab| lab.tenant),
        decision,
        kind,
        subject: MessageId::new_at(now()).as_uuid(),
        reason: (decision == Decision::Discarded).then(|| "of no use".to_owned()),
        by: Decider::Operator,
    }
}

#[tokio::test]
async fn decisions_are_kept_and_counted() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let mut tx = stage.owner.begin().await.unwrap();
    let decisions = [
        decision(Some(lab), Decision::Sent, WorkKind::Send),
        decision(Some(lab), Decision::Discarded, WorkKind::Callback),
        decision(Some(lab), Decision::Discarded, WorkKind::Callback),
        decision(None, Decision::Replayed, WorkKind::Event),
    ];
    insert_decisions(&mut tx, &decisions, now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = stage.work().await;
    let mut counted = count_decisions(&mut tx).await.unwrap();
    counted.sort_unstable();
    assert_eq!(
        counted,
        [
            (Decision::Sent, WorkKind::Send, 1),
            (Decision::Replayed, WorkKind::Event, 1),
            (Decision::Discarded, WorkKind::Callback, 2),
        ]
    );
    let kept = &stage
        .test
        .rows("select * from decisions where decision = 'discarded'")
        .await[0];
    assert_eq!(
        (&kept["reason"], &kept["decided_by"]),
        (&"of no use".into(), &"operator".into())
    );
}

#[tokio::test]
async fn a_lab_decides_for_itself_alone() {
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    for (whose, may) in [(Some(lab), true), (Some(other), false), (None, false)] {
        let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
        let decisions = [decision(whose, Decision::Sent, WorkKind::Send)];
        let inserted = insert_decisions(&mut tx, &decisions, now()).await;
        assert_eq!(inserted.is_ok(), may, "{whose:?}");
    }
}
