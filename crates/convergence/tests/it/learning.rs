use std::time::Duration;

use convergence::{Entry, Learned, learn};
use domain::{Losses, MessageId, MessageState, ReportedStatus, WorkKind};
use proptest::prelude::*;
use serde_json::json;
use storage::{
    messages::{MessageRow, list_timeline},
    work::{self, Disposition, Finished},
};
use tokio::runtime::Runtime;

use crate::stage::{Stage, based, heard, now, report, stage};

#[tokio::test]
async fn an_answer_and_its_statuses_come_to_one_state() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    let answer = Learned {
        wamid: Some("wamid.1".to_owned()),
        attempted: true,
        ..heard(id, ReportedStatus::Sent)
    };
    let changes = stage
        .learn(vec![answer, heard(id, ReportedStatus::Delivered)])
        .await;
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0].before, changes[0].row.state()),
        (MessageState::Queued, MessageState::Delivered)
    );
    let row = stage.state(id).await;
    assert_eq!(row, changes[0].row);
    assert_eq!(
        (row.wamid.as_deref(), row.attempts, row.resends),
        (Some("wamid.1"), 1, 0)
    );
}

#[tokio::test]
async fn unknown_messages_are_skipped() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (known, unknown) = (stage.message(lab).await, MessageId::new_at(now()));
    let changes = stage
        .learn(vec![
            heard(unknown, ReportedStatus::Sent),
            heard(known, ReportedStatus::Sent),
        ])
        .await;
    assert_eq!(
        changes
            .iter()
            .map(|it| it.row.message_id)
            .collect::<Vec<_>>(),
        [known]
    );
    assert_eq!(stage.learn(Vec::new()).await.len(), 0);
}

#[tokio::test]
async fn what_another_tenant_says_of_a_message_is_not_believed() {
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let id = stage.message(lab).await;
    let before = stage.state(id).await;
    let lie = Learned {
        owner: Some(other.tenant),
        wamid: Some("wamid.lie".to_owned()),
        base: Some(MessageState::Cancelled),
        attempted: true,
        ..heard(id, ReportedStatus::Failed)
    };
    assert_eq!(stage.learn(vec![lie.clone()]).await.len(), 0);
    assert_eq!(stage.state(id).await, before);
    assert_eq!(stage.count("timeline where kind <> 'accepted'").await, 0);
    assert_eq!(stage.count("work where kind = 'send'").await, 1);
    assert_eq!(stage.told(endpoint).await.len(), 0);

    // In one batch with the truth, too.
    let truth = Learned {
        owner: Some(lab.tenant),
        ..heard(id, ReportedStatus::Delivered)
    };
    stage.learn(vec![lie, truth]).await;
    let row = stage.state(id).await;
    assert_eq!(
        (row.state(), row.wamid, row.attempts),
        (MessageState::Delivered, None, 0)
    );
    assert_eq!(stage.count("timeline where kind <> 'accepted'").await, 1);
}

#[tokio::test]
async fn the_timeline_keeps_what_was_learned_even_when_nothing_changed() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    let note = |kind| Learned {
        entries: vec![Entry {
            at: now(),
            kind,
            detail: json!({ "code": 7 }),
        }],
        ..Learned::about(id)
    };
    stage
        .learn(vec![
            heard(id, ReportedStatus::Delivered),
            heard(id, ReportedStatus::Sent),
        ])
        .await;
    stage
        .learn(vec![heard(id, ReportedStatus::Sent), note("held")])
        .await;
    let mut tx = stage.begin().await;
    let told = list_timeline(&mut tx, id).await.unwrap();
    let kinds: Vec<&str> = told.iter().map(|entry| &*entry.kind).collect();
    assert_eq!(kinds, ["accepted", "status", "status", "status", "held"]);
    assert_eq!(told[1].detail, json!({ "status": "delivered" }));
    assert_eq!(told[4].detail, json!({ "code": 7 }));
}

/// The provider's id of the message: our own answer names it, a report only if no answer did.
#[tokio::test]
async fn an_answer_names_the_message_and_a_report_only_until_then() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    let reported = |wamid: &str| Learned {
        reported_wamid: Some(wamid.to_owned()),
        ..heard(id, ReportedStatus::Sent)
    };
    let answered = |wamid: &str| Learned {
        wamid: Some(wamid.to_owned()),
        ..heard(id, ReportedStatus::Sent)
    };
    for (learned, name) in [
        (reported("first"), "first"),
        (reported("second"), "first"),
        (answered("answer"), "answer"),
        (reported("second"), "answer"),
        // A resend: the latest send names it from now on.
        (answered("resend"), "resend"),
    ] {
        stage.learn(vec![learned]).await;
        assert_eq!(stage.state(id).await.wamid.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn a_doubt_is_dated_and_evidence_ends_it() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    let at = now();
    let mut tx = stage.begin().await;
    let doubt = Learned {
        attempted: true,
        ..based(id, MessageState::Unconfirmed)
    };
    learn(&mut tx, vec![doubt], at).await.unwrap();
    tx.commit().await.unwrap();
    let row = stage.state(id).await;
    assert_eq!(
        (row.state(), row.unconfirmed_at),
        (MessageState::Unconfirmed, Some(at))
    );
    // Nothing is known yet: the send still waits for news, or to be made again.
    assert_eq!(stage.count("work where kind = 'send'").await, 1);
    stage.learn(vec![heard(id, ReportedStatus::Sent)]).await;
    assert_eq!(stage.state(id).await.state(), MessageState::Sent);
    assert_eq!(stage.count("work where kind = 'send'").await, 0);
}

#[tokio::test]
async fn a_settled_message_is_not_sent_any_more() {
    for (learn, left) in [
        (based as fn(_, _) -> _, MessageState::Expired),
        (based, MessageState::Cancelled),
        (
            |id, _| heard(id, ReportedStatus::Failed),
            MessageState::Failed,
        ),
        (
            |id, _| heard(id, ReportedStatus::Delivered),
            MessageState::Delivered,
        ),
    ] {
        let stage = stage().await;
        let lab = stage.lab().await;
        let (id, other) = (stage.message(lab).await, stage.message(lab).await);
        stage.learn(vec![learn(id, left)]).await;
        assert_eq!(stage.state(id).await.state(), left);
        let waiting = stage
            .test
            .rows("select subject from work where kind = 'send'")
            .await;
        assert_eq!(waiting.len(), 1, "{left:?}");
        assert_eq!(waiting[0]["subject"], other.as_uuid().to_string());
    }
}

/// Somebody decided that a parked message is to be sent again: that is no evidence, and its work must stay.
#[tokio::test]
async fn a_message_that_is_queued_again_keeps_its_work() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    stage
        .learn(vec![based(id, MessageState::Unconfirmed)])
        .await;
    stage.learn(vec![based(id, MessageState::Queued)]).await;
    assert_eq!(stage.state(id).await.state(), MessageState::Queued);
    assert_eq!(stage.count("work where kind = 'send'").await, 1);
}

/// Who has the work in hand ends it: taken from under it, its outcome would go nowhere.
#[tokio::test]
async fn a_send_that_is_being_made_is_left_to_its_sender() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    stage
        .test
        .execute("update work set state = 'released', lease_until = now() + interval '1 minute'")
        .await;
    let work = &stage
        .test
        .rows("select replace(id::text, '-', '') as id from work")
        .await[0];
    let work_id = format!("wrk_{}", work["id"].as_str().unwrap())
        .parse()
        .unwrap();
    let mut tx = stage.begin().await;
    let lease = now() + Duration::from_mins(1);
    let claims = work::claim(&mut tx, &[(work_id, 0)], now(), lease)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    stage
        .learn(vec![heard(id, ReportedStatus::Delivered)])
        .await;
    let mut tx = stage.begin().await;
    let done = Finished {
        id: work_id,
        attempt: claims[0].attempt,
        losses: Losses::default(),
        disposition: Disposition::Done,
    };
    assert_eq!(
        work::finish(&mut tx, &[done], now()).await.unwrap().len(),
        1
    );
    assert_eq!(
        work::cancel(&mut tx, WorkKind::Send, &[id.as_uuid()])
            .await
            .unwrap(),
        0
    );
}

/// Two batches about the same messages at the same time, in another order: none fails, nothing is forgotten.
#[tokio::test]
async fn batches_about_the_same_messages_wait_for_each_other() {
    let stage = stage().await;
    let lab = stage.lab().await;
    for _ in 0..10 {
        let mut ids = Vec::new();
        for _ in 0..8 {
            ids.push(stage.message(lab).await);
        }
        let forth = ids
            .iter()
            .map(|id| heard(*id, ReportedStatus::Sent))
            .collect();
        let back = ids
            .iter()
            .rev()
            .map(|id| heard(*id, ReportedStatus::Read))
            .collect();
        tokio::join!(stage.learn(forth), stage.learn(back));
        for id in ids {
            let row = stage.state(id).await;
            assert!(row.delivery.sent_at.is_some() && row.delivery.read_at.is_some());
        }
    }
}

/// One thing that may be learned, and in which transaction: what order and what batches they come in does not matter.
fn things(id: MessageId, seconds: &[u64]) -> Vec<Learned> {
    let start = now();
    let at = |n: usize| start + Duration::from_secs(seconds[n]);
    let status = |status, n| Learned {
        reported_wamid: Some("wamid.1".to_owned()),
        reports: vec![report(status, at(n))],
        ..Learned::about(id)
    };
    vec![
        Learned {
            wamid: Some("wamid.1".to_owned()),
            attempted: true,
            reports: vec![report(ReportedStatus::Sent, at(0))],
            ..Learned::about(id)
        },
        Learned {
            attempted: true,
            ..based(id, MessageState::Unconfirmed)
        },
        status(ReportedStatus::Sent, 1),
        status(ReportedStatus::Delivered, 2),
        status(ReportedStatus::Delivered, 3),
        status(ReportedStatus::Failed, 4),
        status(ReportedStatus::Read, 5),
    ]
}

async fn settle(stage: &Stage, id: MessageId, batches: Vec<Vec<Learned>>) -> MessageRow {
    let mut tx = stage.begin().await;
    let at = now();
    for batch in batches {
        learn(&mut tx, batch, at).await.unwrap();
    }
    let row = storage::messages::find_state(&mut tx, id)
        .await
        .unwrap()
        .unwrap();
    tx.rollback().await.unwrap();
    MessageRow {
        unconfirmed_at: None,
        updated_at: at,
        ..row
    }
}

#[test]
fn what_is_learned_merges_in_any_order_and_any_batches() {
    let runtime = Runtime::new().unwrap();
    let (stage, id) = runtime.block_on(async {
        let stage = stage().await;
        let lab = stage.lab().await;
        let id = stage.message(lab).await;
        (stage, id)
    });
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let seconds = prop::collection::vec(0..5_u64, 6);
    let order = Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle();
    let sizes = prop::collection::vec(1..4_usize, 7);
    proptest!(config, |(seconds in seconds, order in order, sizes in sizes, known in 1..8_usize)| {
        // Any of them may never come.
        let things = things(id, &seconds);
        let mut left: Vec<Learned> = order.iter().filter(|n| **n < known).map(|n| things[*n].clone()).collect();
        let mut batches = Vec::new();
        for size in sizes {
            batches.push(left.drain(..size.min(left.len())).collect());
        }
        let shuffled = runtime.block_on(settle(&stage, id, batches));
        let in_order = runtime.block_on(settle(&stage, id, vec![things[..known].to_vec()]));
        let updated_at = in_order.updated_at;
        prop_assert_eq!(MessageRow { updated_at, ..shuffled }, in_order);
    });
}
