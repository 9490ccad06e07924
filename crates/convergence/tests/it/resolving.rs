use std::time::Duration;

use convergence::{Fate, Resolution, resolve};
use domain::{ApiKeyId, Decider, MessageId, MessageState, ReportedStatus};
use serde_json::json;
use storage::{
    messages::{list_ids_by_wamid, lock_states},
    work::{self, Disposition},
};
use testkit::eventually;

use crate::stage::{Lab, Stage, based, heard, now, stage};

const SENT: Fate = Fate::Sent { wamid: None };
const LIMIT: Duration = Duration::from_secs(20);

/// Decides as the gateway, for this lab.
async fn decide(stage: &Stage, lab: Lab, id: MessageId, fate: Fate) -> Resolution {
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let resolution = resolve(&mut tx, id, fate, Decider::Operator, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    resolution
}

async fn until_someone_waits(stage: &Stage) {
    eventually(LIMIT, async || stage.test.count_blocked().await > 0).await;
}

#[tokio::test]
async fn a_message_that_was_sent_is_sent_and_nothing_sends_it_again() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let id = stage.parked(lab).await;
    let key = ApiKeyId::new_at(now());
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let resolution = resolve(&mut tx, id, SENT, Decider::Key(key), now()).await;
    assert_eq!(resolution.unwrap(), Resolution::Resolved);
    tx.commit().await.unwrap();

    let row = stage.state(id).await;
    assert_eq!(
        (row.state(), row.unconfirmed_at),
        (MessageState::Sent, None)
    );
    assert_eq!(stage.work(id).await, None);
    assert_eq!(
        stage.last_entry(id).await,
        (
            "decision".to_owned(),
            json!({ "decision": "sent", "by": key.to_string() })
        )
    );
    assert_eq!(
        stage.decisions().await,
        [
            json!({ "decision": "sent", "kind": "send", "reason": null, "decided_by": key.to_string() })
        ]
    );
    let told = stage.told(endpoint).await;
    let told: Vec<&str> = told.iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["message.unconfirmed", "message.sent"]);
    // Its statuses go on as those of any other.
    stage
        .learn(vec![heard(id, ReportedStatus::Delivered)])
        .await;
    assert_eq!(stage.state(id).await.state(), MessageState::Delivered);
}

#[tokio::test]
async fn a_message_that_was_not_sent_goes_back_to_its_place() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let id = stage.parked(lab).await;
    assert_eq!(
        decide(&stage, lab, id, Fate::NotSent).await,
        Resolution::Resolved
    );

    let row = stage.state(id).await;
    assert_eq!((row.state(), row.resends), (MessageState::Queued, 0));
    // By this the sender knows that it repeats a send in doubt.
    assert!(row.unconfirmed_at.is_some());
    assert_eq!(
        stage.work(id).await.unwrap(),
        json!({ "state": "waiting", "at_its_place": true, "hold_scope": null, "reason": null })
    );
    assert_eq!(
        stage.last_entry(id).await,
        (
            "decision".to_owned(),
            json!({ "decision": "not_sent", "by": "operator" })
        )
    );
    assert_eq!(stage.decisions().await[0]["decision"], "not_sent");
    // That it waits again is no news.
    assert_eq!(stage.told(endpoint).await.len(), 1);
}

#[tokio::test]
async fn nobody_needs_to_wait_for_the_grace_to_decide() {
    let stage = stage().await;
    let lab = stage.lab().await;
    for (fate, state) in [
        (SENT, MessageState::Sent),
        (Fate::NotSent, MessageState::Queued),
    ] {
        let id = stage.message(lab).await;
        let claim = stage.claim(id).await;
        stage
            .learn(vec![based(id, MessageState::Unconfirmed)])
            .await;
        let waits = Disposition::Retry {
            due_at: now() + Duration::from_mins(10),
            failed: false,
            reason: "waiting for news".to_owned(),
        };
        stage.finish(&claim, waits).await;
        assert_eq!(decide(&stage, lab, id, fate).await, Resolution::Resolved);
        assert_eq!(stage.state(id).await.state(), state);
    }
}

#[tokio::test]
async fn a_message_whose_work_is_gone_gets_new_work() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.parked(lab).await;
    stage.test.execute("delete from work").await;
    assert_eq!(
        decide(&stage, lab, id, Fate::NotSent).await,
        Resolution::Resolved
    );
    assert_eq!(stage.work(id).await.unwrap()["state"], "waiting");
}

#[tokio::test]
async fn the_providers_id_names_the_message_unless_it_is_anothers() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (id, other) = (stage.parked(lab).await, stage.parked(lab).await);
    let sent = || Fate::Sent {
        wamid: Some("wamid.told".parse().unwrap()),
    };
    assert_eq!(decide(&stage, lab, id, sent()).await, Resolution::Resolved);
    let mut tx = stage.begin().await;
    let named = list_ids_by_wamid(&mut tx, &["wamid.told".to_owned()]).await;
    assert_eq!(named.unwrap(), [("wamid.told".to_owned(), id)]);
    drop(tx);

    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let error = resolve(&mut tx, other, sent(), Decider::Operator, now()).await;
    assert_eq!(
        error.unwrap_err().constraint(),
        Some("message_state_wamid_key")
    );
    drop(tx);
    assert_eq!(stage.state(other).await.state(), MessageState::Unconfirmed);
}

#[tokio::test]
async fn only_a_doubt_can_be_decided() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let sent = |id| heard(id, ReportedStatus::Sent);
    let failed = |id| heard(id, ReportedStatus::Failed);
    for (learned, state) in [
        (None, MessageState::Queued),
        (Some(sent as fn(_) -> _), MessageState::Sent),
        (Some(failed), MessageState::Failed),
        (
            Some(|id| based(id, MessageState::Expired)),
            MessageState::Expired,
        ),
    ] {
        let id = stage.message(lab).await;
        stage
            .learn(learned.map(|it| it(id)).into_iter().collect())
            .await;
        let before = stage.state(id).await;
        for fate in [SENT, Fate::NotSent] {
            assert_eq!(
                decide(&stage, lab, id, fate).await,
                Resolution::NotInDoubt(state)
            );
        }
        assert_eq!(stage.state(id).await, before);
    }
    assert_eq!(stage.decisions().await.len(), 0);
}

#[tokio::test]
async fn another_labs_doubt_is_not_there() {
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    let id = stage.parked(lab).await;
    for (lab, id) in [(other, id), (lab, MessageId::new_at(now()))] {
        assert_eq!(decide(&stage, lab, id, SENT).await, Resolution::Unknown);
    }
    assert_eq!(stage.state(id).await.state(), MessageState::Unconfirmed);
}

/// What a sender has in hand it may be sending this very moment, by the tenant's policy.
#[tokio::test]
async fn nothing_is_decided_about_a_send_that_is_in_hand() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.parked(lab).await;
    let mut tx = stage.begin().await;
    work::resume(&mut tx, &domain::Scope::message(id), now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let claim = stage.claim(id).await;
    for fate in [SENT, Fate::NotSent] {
        assert_eq!(decide(&stage, lab, id, fate).await, Resolution::InHand);
    }
    assert_eq!(stage.state(id).await.state(), MessageState::Unconfirmed);
    assert_eq!(stage.work(id).await.unwrap()["state"], "claimed");
    let scope = domain::Scope::message(id);
    let reason = "waiting for a decision".to_owned();
    stage
        .finish(&claim, Disposition::Hold { scope, reason })
        .await;
    assert_eq!(decide(&stage, lab, id, SENT).await, Resolution::Resolved);
}

#[tokio::test]
async fn of_two_who_decide_at_once_one_is_late() {
    let stage = stage().await;
    let lab = stage.lab().await;
    for _ in 0..10 {
        let id = stage.parked(lab).await;
        let (one, other) = tokio::join!(
            decide(&stage, lab, id, SENT),
            decide(&stage, lab, id, Fate::NotSent)
        );
        let reached = stage.state(id).await.state();
        let late = Resolution::NotInDoubt(reached);
        let resolved = Resolution::Resolved;
        assert!(
            [(resolved, late), (late, resolved)].contains(&(one, other)),
            "{one:?} {other:?}"
        );
        assert_eq!(
            stage.work(id).await.is_some(),
            reached == MessageState::Queued
        );
    }
    assert_eq!(stage.decisions().await.len(), 10);
}

#[tokio::test]
async fn who_decides_while_a_status_comes_is_late() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.parked(lab).await;
    let mut coming = stage.begin().await;
    convergence::learn(&mut coming, vec![heard(id, ReportedStatus::Sent)], now())
        .await
        .unwrap();
    let arrive = async {
        until_someone_waits(&stage).await;
        coming.commit().await.unwrap();
    };
    let (resolution, ()) = tokio::join!(decide(&stage, lab, id, Fate::NotSent), arrive);
    assert_eq!(resolution, Resolution::NotInDoubt(MessageState::Sent));
    assert_eq!(stage.work(id).await, None);
}

#[tokio::test]
async fn a_status_that_comes_after_the_decision_cancels_the_send() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.parked(lab).await;
    let mut deciding = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    resolve(&mut deciding, id, Fate::NotSent, Decider::Operator, now())
        .await
        .unwrap();
    let commit = async {
        until_someone_waits(&stage).await;
        deciding.commit().await.unwrap();
    };
    tokio::join!(
        stage.learn(vec![heard(id, ReportedStatus::Delivered)]),
        commit
    );
    assert_eq!(stage.state(id).await.state(), MessageState::Delivered);
    assert_eq!(stage.work(id).await, None);
}

/// A send on its way to a consumer while somebody decides: whoever locks it first has it, and the other does nothing.
#[tokio::test]
async fn a_send_is_claimed_or_decided_about_and_never_both() {
    let stage = stage().await;
    let lab = stage.lab().await;
    for fate in [SENT, Fate::NotSent] {
        let id = stage.parked(lab).await;
        let release = format!(
            "update work set state = 'released', hold_scope = null, lease_until = now() + interval '1 minute' where subject = '{}'",
            id.as_uuid()
        );
        stage.test.execute(&release).await;
        let rows = format!(
            "select id, attempt from work where subject = '{}'",
            id.as_uuid()
        );
        let work = &stage.test.rows(&rows).await[0];
        let work_id: uuid::Uuid = work["id"].as_str().unwrap().parse().unwrap();
        let attempt = i32::try_from(work["attempt"].as_i64().unwrap()).unwrap();
        let hint = [(domain::WorkId::from_uuid(work_id), attempt)];

        let mut deciding = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
        let resolution = resolve(&mut deciding, id, fate, Decider::Operator, now()).await;
        assert_eq!(resolution.unwrap(), Resolution::Resolved);
        let lease = now() + Duration::from_mins(1);
        let mut claiming = stage.begin().await;
        let meanwhile = work::claim(&mut claiming, &hint, now(), lease).await;
        assert_eq!(meanwhile.unwrap(), []);
        deciding.commit().await.unwrap();
        let afterwards = work::claim(&mut claiming, &hint, now(), lease).await;
        assert_eq!(afterwards.unwrap(), []);
    }
}

/// As long as a message is locked by what is learned of it, its send cannot be decided about.
#[tokio::test]
async fn decisions_and_what_is_learned_lock_in_one_order() {
    let stage = stage().await;
    let lab = stage.lab().await;
    for _ in 0..10 {
        let id = stage.parked(lab).await;
        let learning = async {
            let mut tx = stage.begin().await;
            lock_states(&mut tx, &[id]).await.unwrap();
            convergence::learn(&mut tx, vec![heard(id, ReportedStatus::Read)], now())
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        tokio::join!(learning, decide(&stage, lab, id, Fate::NotSent));
        assert_eq!(stage.state(id).await.state(), MessageState::Read);
        assert_eq!(stage.work(id).await, None);
    }
}
