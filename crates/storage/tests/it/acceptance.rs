use domain::{Lane, MessageState, WorkKind};
use storage::{
    Database, WorkListener,
    messages::{
        Acceptance, IdempotencyKey, NewMessage, accept, find_message, find_state, list_timeline,
        send_work,
    },
    work::{self, find_wait},
};

use crate::{
    support::{LIMIT, Lab, attachment, message, now, stage},
    work::{next_signal, signal_of},
};

/// What one accepted message leaves behind.
const TRACES: [&str; 4] = ["messages", "message_state", "timeline", "work"];

fn keyed(lab: Lab, key: &str, fingerprint: u8) -> NewMessage {
    NewMessage {
        idempotency_key: Some(IdempotencyKey {
            key: key.to_owned(),
            fingerprint: vec![fingerprint],
        }),
        ..message(lab)
    }
}

fn replay_of(original: &NewMessage, answer: Acceptance) -> bool {
    matches!(answer, Acceptance::Replayed { message_id, .. } if message_id == original.message.id)
}

#[tokio::test]
async fn a_batch_is_accepted_with_all_that_belongs_to_it() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let file = attachment(lab);
    let mut with_file = message(lab);
    with_file.message.lane = Lane::Reply;
    with_file.message.attachment_id = Some(file.id);
    with_file.attachment = Some(file);
    with_file.traceparent = Some("00-trace".to_owned());
    let batch = [with_file.clone(), message(lab), keyed(lab, "once", 1)];
    assert_eq!(stage.accept(lab, &batch).await, [Acceptance::Accepted; 3]);

    let mut tx = stage.work().await;
    for new in &batch {
        let stored = find_message(&mut tx, new.message.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(format!("{stored:?}"), format!("{:?}", new.message));
        let row = find_state(&mut tx, new.message.id).await.unwrap().unwrap();
        assert_eq!((row.state(), row.attempts), (MessageState::Queued, 0));
        let timeline = list_timeline(&mut tx, new.message.id).await.unwrap();
        let kinds: Vec<&str> = timeline.iter().map(|entry| &*entry.kind).collect();
        assert_eq!(kinds, ["accepted"]);
        let wait = find_wait(&mut tx, WorkKind::Send, new.message.id.as_uuid(), &[])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (&*wait.state, wait.due_at),
            ("waiting", new.message.created_at)
        );
    }
    let work = &stage
        .test
        .rows("select flow, lane, tenant_id, encode(pair, 'escape') as pair, traceparent from work where lane = 0")
        .await[0];
    assert_eq!(work["flow"], lab.number.as_uuid().to_string());
    assert_eq!(work["tenant_id"], lab.tenant.as_uuid().to_string());
    assert_eq!(
        (&work["pair"], &work["traceparent"]),
        (&"hash".into(), &"00-trace".into())
    );
}

/// As when somebody has it sent once more.
#[tokio::test]
async fn acceptance_puts_to_work_what_sends_a_message_and_tells_its_owners() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let mut listener = WorkListener::connect(&stage.worker).await.unwrap();
    let mut new = message(lab);
    new.message.lane = Lane::Reply;
    new.traceparent = Some("00-trace".to_owned());
    stage.accept(lab, std::slice::from_ref(&new)).await;
    let work = send_work(&new.message, new.traceparent.clone());
    assert_eq!(next_signal(&mut listener).await, Some(signal_of(work.flow)));

    let stored = "select to_jsonb(work) - 'id' as work from work";
    let accepted = stage.test.rows(stored).await;
    stage.test.execute("delete from work").await;
    let mut tx = stage.work().await;
    work::insert(&mut tx, &[work], None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(accepted.len(), 1);
    assert_eq!(stage.test.rows(stored).await, accepted);
}

#[tokio::test]
async fn what_was_rolled_back_left_nothing() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let answers = accept(&mut tx, &[keyed(lab, "once", 1)], now())
        .await
        .unwrap();
    assert_eq!(answers, [Acceptance::Accepted]);
    tx.rollback().await.unwrap();
    for table in TRACES.iter().chain(&["idempotency_keys"]) {
        assert_eq!(stage.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn the_same_key_for_the_same_request_is_the_same_message() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let first = keyed(lab, "once", 1);
    stage.accept(lab, std::slice::from_ref(&first)).await;
    let batch = [keyed(lab, "once", 1), keyed(lab, "another", 1)];
    let answers = stage.accept(lab, &batch).await;
    assert!(replay_of(&first, answers[0]), "{answers:?}");
    assert_eq!(answers[1], Acceptance::Accepted);
    for table in TRACES {
        assert_eq!(stage.count(table).await, 2, "{table}");
    }
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused() {
    let stage = stage().await;
    let lab = stage.lab().await;
    stage.accept(lab, &[keyed(lab, "once", 1)]).await;
    assert_eq!(
        stage.accept(lab, &[keyed(lab, "once", 2)]).await,
        [Acceptance::KeyReused]
    );
    assert_eq!(stage.count("messages").await, 1);
}

#[tokio::test]
async fn a_key_used_twice_in_one_batch_is_accepted_once() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let batch = [
        keyed(lab, "once", 1),
        keyed(lab, "once", 1),
        keyed(lab, "once", 2),
    ];
    let answers = stage.accept(lab, &batch).await;
    assert_eq!(answers[0], Acceptance::Accepted);
    assert!(replay_of(&batch[0], answers[1]), "{answers:?}");
    assert_eq!(answers[2], Acceptance::KeyReused);
    assert_eq!(stage.count("messages").await, 1);
}

#[tokio::test]
async fn two_labs_may_use_the_same_key() {
    let stage = stage().await;
    let (a, b) = (stage.lab().await, stage.lab().await);
    let mut tx = stage
        .gateway
        .begin_for(&[a.tenant, b.tenant])
        .await
        .unwrap();
    let answers = accept(&mut tx, &[keyed(a, "once", 1), keyed(b, "once", 2)], now())
        .await
        .unwrap();
    assert_eq!(answers, [Acceptance::Accepted; 2]);
}

/// Two replicas of the gateway, the same keys in another order: whoever comes second waits and replays.
#[tokio::test]
async fn batches_with_the_same_keys_do_not_lock_each_other_out() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let other = Database::connect(&stage.test.gateway_url, 1, LIMIT).unwrap();
    for round in 0..20 {
        let keys: Vec<String> = (0..40).map(|n| format!("{round}-{n}")).collect();
        let forth: Vec<NewMessage> = keys.iter().map(|key| keyed(lab, key, 1)).collect();
        let back: Vec<NewMessage> = keys.iter().rev().map(|key| keyed(lab, key, 1)).collect();
        let submit = async |database: &Database, batch: &[NewMessage]| {
            let mut tx = database.begin_for(&[lab.tenant]).await.unwrap();
            let answers = accept(&mut tx, batch, now()).await.unwrap();
            tx.commit().await.unwrap();
            answers
        };
        let (one, two) = tokio::join!(submit(&stage.gateway, &forth), submit(&other, &back));
        let accepted = one
            .iter()
            .chain(&two)
            .filter(|a| **a == Acceptance::Accepted);
        assert_eq!(accepted.count(), 40);
    }
    assert_eq!(stage.count("messages").await, 800);
}

#[tokio::test]
async fn a_message_cannot_be_sent_from_another_labs_number() {
    let stage = stage().await;
    let (a, b) = (stage.lab().await, stage.lab().await);
    let mut tx = stage.gateway.begin_for(&[a.tenant]).await.unwrap();
    let mut message = message(a);
    message.message.sender_number_id = b.number;
    let error = accept(&mut tx, &[message], now()).await.unwrap_err();
    assert_eq!(error.constraint(), Some("messages_sender_number_fkey"));
}
