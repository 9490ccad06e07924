use convergence::{
    Fate, Learned, Replayed, Resolution, Verdict, discard, replay, replay_matching, resolve,
};
use domain::{
    Decider, DiscardReason, ErrorClass, FailureCause, GivenUp, MessageId, MessageState,
    ReportedStatus, WorkId, WorkKind,
};
use rstest::rstest;
use serde_json::json;
use storage::work::{DeadLetter, DeadLetterFilter, Disposition, find_dead_letters};

use crate::stage::{Lab, Stage, based, heard, now, stage};

const ONE: Replayed = Replayed {
    replayed: 1,
    settled: 0,
};
const SETTLED: Replayed = Replayed {
    replayed: 0,
    settled: 1,
};

fn gave_up(id: MessageId) -> Learned {
    Learned {
        verdict: Some(Verdict::GivenUp(GivenUp {
            at: now(),
            cause: FailureCause {
                code: None,
                class: ErrorClass::Permanent,
                detail: "given up".to_owned(),
            },
        })),
        ..Learned::about(id)
    }
}

/// The send of a message is given up.
async fn bury(stage: &Stage, id: MessageId) -> WorkId {
    let claim = stage.claim(id).await;
    stage.learn(vec![gave_up(id)]).await;
    let reason = "given up: it took its senders down".to_owned();
    stage.finish(&claim, Disposition::Dead { reason }).await;
    claim.id
}

async fn letter(stage: &Stage, id: WorkId) -> DeadLetter {
    let mut tx = stage.begin().await;
    let mut found = find_dead_letters(&mut tx, &[id]).await.unwrap();
    found.pop().unwrap()
}

/// Replays as the gateway, for this lab.
async fn replay_one(stage: &Stage, lab: Lab, letter: DeadLetter) -> Replayed {
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let replayed = replay(&mut tx, vec![letter], Decider::Operator, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    replayed
}

async fn discard_one(stage: &Stage, lab: Lab, letter: DeadLetter) -> bool {
    let reason: DiscardReason = "the lab has told the patient".parse().unwrap();
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let discarded = discard(&mut tx, letter, &reason, Decider::Operator, now()).await;
    tx.commit().await.unwrap();
    discarded.unwrap()
}

#[tokio::test]
async fn a_message_that_was_given_up_has_failed_and_replayed_it_is_queued_again() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let id = stage.message(lab).await;
    let work = bury(&stage, id).await;
    assert_eq!(stage.state(id).await.state(), MessageState::Failed);
    let told = &stage.told(endpoint).await[0];
    assert_eq!(told["type"], "message.failed");
    assert_eq!(
        told["data"]["error"],
        json!({ "code": "MESSAGE_SEND_FAILED", "class": "permanent" })
    );

    let letter = letter(&stage, work).await;
    assert_eq!(replay_one(&stage, lab, letter).await, ONE);
    assert_eq!(stage.state(id).await.state(), MessageState::Queued);
    assert_eq!(stage.work(id).await.unwrap()["state"], "waiting");
    assert_eq!(stage.count("dead_letters").await, 0);
    let detail = json!({ "decision": "replayed", "by": "operator", "reason": null, "work": "send", "dead_letter": work });
    assert_eq!(stage.last_entry(id).await, ("decision".to_owned(), detail));
    assert_eq!(
        stage.decisions().await,
        [
            json!({ "decision": "replayed", "kind": "send", "reason": null, "decided_by": "operator" })
        ]
    );
}

/// In doubt, and its send was given up: that is no failure that anybody could tell of.
async fn bury_in_doubt(stage: &Stage, lab: Lab) -> (MessageId, DeadLetter) {
    let id = stage.message(lab).await;
    stage
        .learn(vec![based(id, MessageState::Unconfirmed)])
        .await;
    let claim = stage.claim(id).await;
    let reason = "its outcome could not be recorded".to_owned();
    stage.finish(&claim, Disposition::Dead { reason }).await;
    (id, letter(stage, claim.id).await)
}

/// A replay is no decision about what was in doubt before: that would be sent twice.
#[tokio::test]
async fn a_message_in_doubt_that_is_replayed_is_in_doubt_as_before() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (id, letter) = bury_in_doubt(&stage, lab).await;
    let since = stage.state(id).await.unconfirmed_at;
    assert_eq!(replay_one(&stage, lab, letter).await, ONE);
    let row = stage.state(id).await;
    assert_eq!(
        (row.state(), row.unconfirmed_at),
        (MessageState::Unconfirmed, since)
    );
    assert_eq!(stage.work(id).await.unwrap()["state"], "waiting");
}

#[tokio::test]
async fn a_message_in_doubt_whose_letter_is_discarded_is_still_to_be_resolved() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (id, letter) = bury_in_doubt(&stage, lab).await;
    assert!(discard_one(&stage, lab, letter).await);
    assert_eq!(stage.state(id).await.state(), MessageState::Unconfirmed);
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let sent = Fate::Sent { wamid: None };
    let resolution = resolve(&mut tx, id, sent, Decider::Operator, now()).await;
    assert_eq!(resolution.unwrap(), Resolution::Resolved);
}

#[rstest]
#[case::sent(ReportedStatus::Sent, MessageState::Sent)]
#[case::delivered(ReportedStatus::Delivered, MessageState::Delivered)]
#[case::failed(ReportedStatus::Failed, MessageState::Failed)]
#[tokio::test]
async fn what_the_provider_said_since_is_kept_and_nothing_is_sent(
    #[case] status: ReportedStatus,
    #[case] state: MessageState,
) {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    let work = bury(&stage, id).await;
    stage.learn(vec![heard(id, status)]).await;
    let before = stage.state(id).await;
    let letter = letter(&stage, work).await;
    assert_eq!(replay_one(&stage, lab, letter).await, SETTLED);
    let after = stage.state(id).await;
    assert_eq!(after.state(), state);
    assert_eq!(after.delivery.failure, before.delivery.failure);
    assert_eq!(after.delivery.failed_at, before.delivery.failed_at);
    assert_eq!(stage.work(id).await, None);
    assert_eq!(stage.count("dead_letters").await, 0);
}

/// A callback that was given up, about this message.
async fn bury_callback(stage: &Stage, lab: Lab, id: MessageId) -> WorkId {
    stage.endpoint(lab, "https://lims.test/").await;
    stage.learn(vec![heard(id, ReportedStatus::Sent)]).await;
    let rows = stage
        .test
        .rows("select subject from work where kind = 'callback'")
        .await;
    let delivery: uuid::Uuid = rows[0]["subject"].as_str().unwrap().parse().unwrap();
    let claim = stage.claim(MessageId::from_uuid(delivery)).await;
    let reason = "the endpoint answered 410".to_owned();
    stage.finish(&claim, Disposition::Dead { reason }).await;
    claim.id
}

#[tokio::test]
async fn a_callback_is_replayed_and_discarded_and_its_message_says_so() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    let work = bury_callback(&stage, lab, id).await;
    let dead = letter(&stage, work).await;
    assert_eq!(dead.message_id, Some(id));
    assert_eq!(replay_one(&stage, lab, dead.clone()).await, ONE);
    let (kind, detail) = stage.last_entry(id).await;
    assert_eq!(
        (&*kind, &detail["decision"], &detail["work"]),
        ("decision", &json!("replayed"), &json!("callback"))
    );
    // It is gone: neither can be done again.
    assert_eq!(
        replay_one(&stage, lab, dead.clone()).await,
        Replayed::default()
    );
    assert!(!discard_one(&stage, lab, dead).await);

    let claim = stage
        .claim(MessageId::from_uuid(subject_of(&stage).await))
        .await;
    let reason = "the endpoint answered 410".to_owned();
    stage.finish(&claim, Disposition::Dead { reason }).await;
    let dead = letter(&stage, work).await;
    assert!(discard_one(&stage, lab, dead).await);
    let (_, detail) = stage.last_entry(id).await;
    assert_eq!(detail["reason"], "the lab has told the patient");
    assert_eq!(stage.count("work where kind = 'callback'").await, 0);
}

async fn subject_of(stage: &Stage) -> uuid::Uuid {
    let rows = stage
        .test
        .rows("select subject from work where kind = 'callback'")
        .await;
    rows[0]["subject"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_discarded_message_stays_failed_and_says_why() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    let work = bury(&stage, id).await;
    let letter = letter(&stage, work).await;
    assert!(discard_one(&stage, lab, letter).await);
    assert_eq!(stage.state(id).await.state(), MessageState::Failed);
    assert_eq!(stage.count("dead_letters").await, 0);
    let reason = "the lab has told the patient";
    let detail = json!({ "decision": "discarded", "by": "operator", "reason": reason, "work": "send", "dead_letter": work });
    assert_eq!(stage.last_entry(id).await, ("decision".to_owned(), detail));
    assert_eq!(
        stage.decisions().await,
        [
            json!({ "decision": "discarded", "kind": "send", "reason": reason, "decided_by": "operator" })
        ]
    );
}

/// When the database did not take that the message was given up, it still looks as if it were to be sent.
#[tokio::test]
async fn a_message_of_which_it_could_not_be_told_that_it_was_given_up_fails_when_it_is_discarded() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(lab).await;
    let claim = stage.claim(id).await;
    let reason = "its outcome could not be recorded".to_owned();
    stage.finish(&claim, Disposition::Dead { reason }).await;
    assert_eq!(stage.state(id).await.state(), MessageState::Queued);
    let letter = letter(&stage, claim.id).await;
    assert!(discard_one(&stage, lab, letter).await);
    let row = stage.state(id).await;
    assert_eq!(row.state(), MessageState::Failed);
    let (_, cause) = row.delivery.failed().unwrap();
    assert_eq!(cause.unwrap().detail, "its outcome could not be recorded");
}

#[tokio::test]
async fn of_two_who_decide_about_a_letter_one_is_late() {
    let stage = stage().await;
    let lab = stage.lab().await;
    for _ in 0..10 {
        let id = stage.message(lab).await;
        let work = bury(&stage, id).await;
        let letter = letter(&stage, work).await;
        let (replayed, discarded) = tokio::join!(
            replay_one(&stage, lab, letter.clone()),
            discard_one(&stage, lab, letter.clone())
        );
        assert_eq!(replayed == ONE, !discarded, "{replayed:?} {discarded}");
        let queued = stage.state(id).await.state() == MessageState::Queued;
        assert_eq!(queued, !discarded);
        assert_eq!(stage.work(id).await.is_some(), queued);
    }
    assert_eq!(stage.decisions().await.len(), 10);
}

#[tokio::test]
async fn a_status_and_a_replay_at_once_come_to_one_end() {
    let stage = stage().await;
    let lab = stage.lab().await;
    for _ in 0..10 {
        let id = stage.message(lab).await;
        let work = bury(&stage, id).await;
        let letter = letter(&stage, work).await;
        tokio::join!(
            replay_one(&stage, lab, letter),
            stage.learn(vec![heard(id, ReportedStatus::Delivered)])
        );
        assert_eq!(stage.state(id).await.state(), MessageState::Delivered);
        assert_eq!(stage.work(id).await, None);
    }
}

/// A thousand and one events that were given up: they belong to no lab.
async fn bury_events(stage: &Stage) {
    let insert = "insert into dead_letters (id, kind, flow, lane, subject, attempt, reason, created_at, died_at)
         select gen_random_uuid(), 'event', gen_random_uuid(), 1, gen_random_uuid(), 1, 'unreadable', now(), now()
         from generate_series(1, 1001)";
    stage.test.execute(insert).await;
}

#[tokio::test]
async fn many_are_replayed_a_thousand_at_a_time() {
    let stage = stage().await;
    let lab = stage.lab().await;
    bury_events(&stage).await;
    let filter = DeadLetterFilter {
        kind: Some(WorkKind::Event),
        reason: Some("unread".to_owned()),
        ..DeadLetterFilter::default()
    };
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let of_no_lab = replay_matching(&mut tx, &filter, Decider::Operator, now()).await;
    assert_eq!(of_no_lab.unwrap(), (Replayed::default(), false));
    drop(tx);
    for (replayed, more) in [(1000, true), (1, false), (0, false)] {
        let mut tx = stage.owner.begin().await.unwrap();
        let (found, has_more) = replay_matching(&mut tx, &filter, Decider::Operator, now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!((found.replayed, has_more), (replayed, more));
    }
    assert_eq!(stage.count("work where kind = 'event'").await, 1001);
    assert_eq!(stage.decisions().await.len(), 1001);
}
