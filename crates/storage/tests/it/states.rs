use chrono::{DateTime, Utc};
use domain::{
    Delivery, ErrorClass, FailureCause, GivenUp, Losses, MessageId, MessageState, ReportedStatus,
    StatusReport,
};
use storage::{
    messages::{
        MessageRow, NewTimelineEntry, find_state, insert_timeline, list_expired, list_ids_by_wamid,
        list_timeline, lock_states, update_states,
    },
    work::{self, Disposition, Finished},
};

use crate::support::{message, now, seconds, stage};

fn given_up(at: DateTime<Utc>) -> GivenUp {
    GivenUp {
        at,
        cause: FailureCause {
            code: None,
            class: ErrorClass::Permanent,
            detail: "given up".to_owned(),
        },
    }
}

#[tokio::test]
async fn a_state_is_read_back_as_it_was_written() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let ids = [stage.message(lab).await, stage.message(lab).await];
    let at = now();
    let failed = StatusReport {
        status: ReportedStatus::Failed,
        at,
        cause: Some(FailureCause {
            code: Some(131_026),
            class: ErrorClass::Unreachable,
            detail: "not reachable".to_owned(),
        }),
    };
    let sent = StatusReport {
        status: ReportedStatus::Sent,
        at: at - seconds(5),
        cause: None,
    };
    let rows = [
        MessageRow {
            message_id: ids[0],
            tenant_id: lab.tenant,
            delivery: Delivery {
                base: MessageState::Unconfirmed,
                given_up: Some(given_up(at)),
                ..Delivery::queued()
            }
            .apply(&sent)
            .apply(&failed),
            wamid: Some("wamid.1".to_owned()),
            attempts: 3,
            resends: 1,
            unconfirmed_at: Some(at),
            updated_at: at,
        },
        MessageRow {
            message_id: ids[1],
            tenant_id: lab.tenant,
            delivery: Delivery {
                base: MessageState::Cancelled,
                ..Delivery::queued()
            },
            wamid: None,
            attempts: 0,
            resends: 0,
            unconfirmed_at: None,
            updated_at: at,
        },
    ];
    let mut tx = stage.work().await;
    update_states(&mut tx, &rows).await.unwrap();
    assert_eq!(lock_states(&mut tx, &ids).await.unwrap(), rows);
    assert_eq!(
        find_state(&mut tx, ids[0]).await.unwrap().as_ref(),
        Some(&rows[0])
    );
    let named = list_ids_by_wamid(&mut tx, &["wamid.1".to_owned(), "wamid.2".to_owned()])
        .await
        .unwrap();
    assert_eq!(named, [("wamid.1".to_owned(), ids[0])]);
    tx.commit().await.unwrap();
    let stored = stage
        .test
        .rows("select state, base from message_state order by message_id")
        .await;
    assert_eq!(stored[0]["state"], "failed");
    assert_eq!(stored[1]["state"], "cancelled");
}

#[tokio::test]
async fn rows_are_locked_in_one_order_and_unknown_ids_are_left_out() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(stage.message(lab).await);
    }
    ids.sort_unstable();
    let mut asked: Vec<MessageId> = ids.iter().rev().copied().collect();
    asked.push(MessageId::new_at(now()));
    let mut tx = stage.work().await;
    let locked = lock_states(&mut tx, &asked).await.unwrap();
    assert_eq!(
        locked.iter().map(|row| row.message_id).collect::<Vec<_>>(),
        ids
    );

    let mut other = stage.work().await;
    let waiting = async {
        lock_states(&mut other, &ids[..1]).await.unwrap();
    };
    let let_go = async {
        stage.until_blocked().await;
        tx.commit().await.unwrap();
    };
    tokio::join!(waiting, let_go);
}

#[tokio::test]
async fn the_timeline_tells_in_the_order_of_learning() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    let kinds = ["attempt", "status", "status", "callback", "held"];
    let entries: Vec<NewTimelineEntry> = kinds
        .iter()
        .enumerate()
        .map(|(n, kind)| NewTimelineEntry {
            message_id: id,
            tenant_id: lab.tenant,
            // What was learned later may have happened earlier.
            at: now() - seconds(n as u64),
            kind,
            detail: serde_json::json!({ "n": n }),
        })
        .collect();
    let mut tx = stage.work().await;
    insert_timeline(&mut tx, &entries).await.unwrap();
    let told = list_timeline(&mut tx, id).await.unwrap();
    assert_eq!(told[0].kind, "accepted");
    for (told, entry) in told[1..].iter().zip(&entries) {
        assert_eq!(
            (&*told.kind, told.at, &told.detail),
            (entry.kind, entry.at, &entry.detail)
        );
    }
    assert_eq!(told.len(), 6);
}

/// Only what was never sent can expire: waiting or held, past its lifetime, without a send in doubt.
#[tokio::test]
async fn messages_expire_while_their_send_waits() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (waiting, held, fresh, claimed, in_doubt) = (
        stage.message(lab).await,
        stage.message(lab).await,
        {
            let mut fresh = message(lab);
            fresh.message.expires_at = now() + seconds(100_000);
            stage.accept(lab, std::slice::from_ref(&fresh)).await;
            fresh.message.id
        },
        stage.message(lab).await,
        stage.message(lab).await,
    );
    let mut tx = stage.work().await;
    for (id, hold) in [(held, true), (claimed, false)] {
        let claim = crate::work::claim_subject(&mut tx, id.as_uuid()).await;
        if hold {
            let held = Finished {
                id: claim.id,
                attempt: claim.attempt,
                losses: Losses::default(),
                disposition: Disposition::Hold {
                    scope: domain::Scope::message(id),
                    reason: "held".to_owned(),
                },
            };
            work::finish(&mut tx, &[held], now()).await.unwrap();
        }
    }
    let mut row = find_state(&mut tx, in_doubt).await.unwrap().unwrap();
    row.delivery.base = MessageState::Unconfirmed;
    update_states(&mut tx, &[row]).await.unwrap();

    let later = now() + seconds(7200);
    let mut expired = list_expired(&mut tx, later, 100).await.unwrap();
    expired.sort_unstable();
    let mut expected = [waiting, held];
    expected.sort_unstable();
    assert_eq!(expired, expected);
    assert!(!expired.contains(&fresh));
    assert_eq!(list_expired(&mut tx, now(), 100).await.unwrap(), []);
    assert_eq!(list_expired(&mut tx, later, 1).await.unwrap().len(), 1);
}

/// The sweep looks often, and what has not expired may be years of messages.
#[tokio::test]
async fn to_look_for_expired_messages_reads_no_other() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let expired = stage.message(lab).await;
    let fresh = std::iter::repeat_with(|| {
        let mut fresh = message(lab);
        fresh.message.expires_at = now() + seconds(100_000);
        fresh
    });
    let fresh: Vec<_> = fresh.take(300).collect();
    stage.accept(lab, &fresh).await;
    let mut tx = stage.work().await;
    let found = list_expired(&mut tx, now() + seconds(7200), 100).await;
    assert_eq!(found.unwrap(), [expired]);
    let read: i64 = sqlx::query_scalar(
        "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint from pg_stat_xact_user_tables
         where relname ~ '^(work|messages|message_state)'",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert!(read < 20, "{read} rows");
}
