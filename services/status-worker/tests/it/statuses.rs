use convergence::{Learned, learn};
use domain::MessageId;
use serde_json::{Value, json};

use crate::support::{Lab, Stage, change, echoing, envelope, stage, status};

fn webhook(lab: &Lab, statuses: &[Value]) -> Value {
    envelope(&[change(lab, "statuses", statuses)])
}

/// The sender's side: the provider's answer named the message.
async fn name(stage: &Stage, id: MessageId, wamid: &str) {
    let learned = Learned {
        wamid: Some(wamid.to_owned()),
        ..Learned::about(id)
    };
    let mut tx = stage.worker.begin().await.unwrap();
    learn(&mut tx, vec![learned], stage.now()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_status_finds_its_message_by_our_id_before_the_send_is_recorded() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(&lab).await;
    let delivered = echoing(status(&stage, "wamid.A", "delivered", 2), id);

    stage.apply(&[webhook(&lab, &[delivered])]).await;

    let row = stage.state(id).await;
    assert_eq!(
        (&row["state"], &row["wamid"]),
        (&json!("delivered"), &json!("wamid.A"))
    );
    assert_eq!(stage.count("work WHERE kind = 'send'").await, 0);
    assert_eq!(stage.told(&lab).await, ["message.delivered"]);
}

#[tokio::test]
async fn a_status_finds_its_message_by_the_providers_id() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(&lab).await;
    name(&stage, id, "wamid.A").await;

    stage
        .apply(&[webhook(&lab, &[status(&stage, "wamid.A", "sent", 1)])])
        .await;

    assert_eq!(stage.state(id).await["state"], "sent");
    assert_eq!(stage.count("unmatched_statuses").await, 0);
}

#[tokio::test]
async fn a_status_of_an_unknown_message_waits_for_its_send_once() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let early = webhook(&lab, &[status(&stage, "wamid.A", "sent", 1)]);

    stage.apply(&[early.clone(), early]).await;

    let kept = stage
        .test
        .rows("SELECT wamid, status FROM unmatched_statuses")
        .await;
    assert_eq!(kept, [json!({ "wamid": "wamid.A", "status": "sent" })]);
    assert!(stage.told(&lab).await.is_empty());
}

#[tokio::test]
async fn any_order_and_any_number_of_repetitions_end_in_the_same_state() {
    let orders = [
        vec!["sent", "delivered", "read"],
        vec!["read", "delivered", "sent"],
        vec!["delivered", "delivered", "read", "sent", "read"],
    ];
    for order in orders {
        let stage = stage().await;
        let lab = stage.lab().await;
        let id = stage.message(&lab).await;
        let second = |status: &str| match status {
            "sent" => 1,
            "delivered" => 2,
            _ => 3,
        };
        for name in &order {
            let report = echoing(status(&stage, "wamid.A", name, second(name)), id);
            stage.apply(&[webhook(&lab, &[report])]).await;
        }

        let row = stage.state(id).await;
        assert_eq!(row["state"], "read", "{order:?}");
        for column in ["sent_at", "delivered_at", "read_at"] {
            assert_ne!(row[column], Value::Null, "{order:?}");
        }
        let told = stage.told(&lab).await;
        assert_eq!(told.last().unwrap(), "message.read");
        let mut once = told.clone();
        once.dedup();
        assert_eq!(told, once);
    }
}

#[tokio::test]
async fn each_new_state_is_told_once() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(&lab).await;
    for name in ["sent", "sent", "delivered", "sent", "delivered", "read"] {
        let report = echoing(status(&stage, "wamid.A", name, 1), id);
        stage.apply(&[webhook(&lab, &[report])]).await;
    }
    let told = ["message.sent", "message.delivered", "message.read"];
    assert_eq!(stage.told(&lab).await, told);
    let payload = &stage.callbacks(&lab).await[0]["data"];
    assert_eq!(payload["lab_id"], json!(lab.tenant));
    assert_eq!(payload["message_id"], json!(id));
}

#[tokio::test]
async fn a_batch_of_entries_and_changes_is_applied_whole_and_told_folded() {
    let stage = stage().await;
    let (ours, theirs) = (stage.lab().await, stage.lab().await);
    let (a, b) = (stage.message(&ours).await, stage.message(&theirs).await);
    let sent = echoing(status(&stage, "wamid.A", "sent", 1), a);
    let read = echoing(status(&stage, "wamid.A", "read", 3), a);
    let other = echoing(status(&stage, "wamid.B", "delivered", 1), b);
    let mut webhook = webhook(&ours, &[sent, read]);
    let second = envelope(&[
        change(&ours, "statuses", &[]),
        change(&theirs, "statuses", &[other]),
    ]);
    let entry = second["entry"][0].clone();
    webhook["entry"].as_array_mut().unwrap().push(entry);

    stage.apply(&[webhook]).await;

    assert_eq!(stage.state(a).await["state"], "read");
    assert_eq!(stage.state(b).await["state"], "delivered");
    assert_eq!(stage.told(&ours).await, ["message.read"]);
    assert_eq!(stage.told(&theirs).await, ["message.delivered"]);
}

#[tokio::test]
async fn a_failure_has_its_cause_and_yields_to_a_proof_of_delivery() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(&lab).await;
    let mut failed = echoing(status(&stage, "wamid.A", "failed", 1), id);
    failed["errors"] = json!([{ "code": 131_026, "title": "said of Asha Rao" }]);

    stage.apply(&[webhook(&lab, &[failed])]).await;

    let row = stage.state(id).await;
    let cause = &row["failure"];
    assert_eq!(row["state"], "failed");
    assert_eq!(
        (&cause["code"], &cause["class"]),
        (&json!(131_026), &json!("unreachable"))
    );
    assert!(!cause.to_string().contains("Asha"));
    let callback = &stage.callbacks(&lab).await[0];
    assert_eq!(callback["data"]["error"]["provider_code"], 131_026);

    let delivered = echoing(status(&stage, "wamid.A", "delivered", 2), id);
    stage.apply(&[webhook(&lab, &[delivered])]).await;
    assert_eq!(stage.state(id).await["state"], "delivered");
    assert_eq!(
        stage.told(&lab).await,
        ["message.failed", "message.delivered"]
    );
}

#[tokio::test]
async fn a_failure_without_a_reason_says_so() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(&lab).await;
    let failed = echoing(status(&stage, "wamid.A", "failed", 1), id);

    stage.apply(&[webhook(&lab, &[failed])]).await;

    let cause = &stage.state(id).await["failure"];
    assert_eq!(cause["detail"], "the provider gave no reason");
}

#[tokio::test]
async fn what_another_tenants_number_says_of_a_message_changes_nothing() {
    let stage = stage().await;
    let (ours, theirs) = (stage.lab().await, stage.lab().await);
    let id = stage.message(&ours).await;
    name(&stage, id, "wamid.A").await;
    let before = stage.state(id).await;
    let by_id = echoing(status(&stage, "wamid.X", "read", 1), id);
    let by_wamid = status(&stage, "wamid.A", "read", 1);

    stage.apply(&[webhook(&theirs, &[by_id, by_wamid])]).await;

    let after = stage.state(id).await;
    for column in ["state", "wamid", "read_at"] {
        assert_eq!(after[column], before[column]);
    }
    assert_eq!(stage.count("timeline WHERE kind = 'status'").await, 0);
    assert!(stage.told(&ours).await.is_empty());
    assert!(stage.told(&theirs).await.is_empty());
    assert_eq!(stage.count("work WHERE kind = 'send'").await, 1);
}

#[tokio::test]
async fn a_labs_own_app_is_believed_about_that_labs_numbers_only() {
    let stage = stage().await;
    let (ours, theirs) = (stage.lab().await, stage.lab().await);
    let (a, b) = (stage.message(&ours).await, stage.message(&theirs).await);
    stage.app_of(&theirs).await;
    let of_ours = echoing(status(&stage, "wamid.A", "read", 1), a);
    let of_theirs = echoing(status(&stage, "wamid.B", "read", 1), b);

    stage
        .apply(&[webhook(&ours, &[of_ours]), webhook(&theirs, &[of_theirs])])
        .await;

    assert_eq!(stage.state(a).await["state"], "queued");
    assert_eq!(stage.state(b).await["state"], "read");
}
