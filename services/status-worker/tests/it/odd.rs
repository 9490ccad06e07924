use std::time::Duration;

use serde_json::json;
use testkit::eventually;

use crate::support::{LIMIT, change, echoing, envelope, stage, status};

#[tokio::test]
async fn what_is_not_known_is_passed_over() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(&lab).await;
    let warning = echoing(status(&stage, "wamid.A", "warning", 1), id);
    let sent = echoing(status(&stage, "wamid.A", "sent", 1), id);
    let statuses = change(&lab, "statuses", &[warning, json!({ "id": 1 }), sent]);
    let unknown = json!({ "field": "brand_new", "value": {} });
    let account = json!({ "field": "account_update", "value": { "event": "PARTNER_ADDED" } });

    stage
        .apply(&[envelope(&[unknown, account, statuses])])
        .await;

    assert_eq!(stage.state(id).await["state"], "sent");
    assert_eq!(stage.count("dead_letters").await, 0);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_dies_alone() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(&lab).await;
    let sent = echoing(status(&stage, "wamid.A", "sent", 1), id);
    let good = envelope(&[change(&lab, "statuses", &[sent])]).to_string();

    stage
        .receive(&[b"{\"object\":", good.as_bytes(), b"[]"])
        .await;
    stage.work_off().await;

    assert_eq!(stage.state(id).await["state"], "sent");
    let dead = stage
        .test
        .rows("SELECT kind, reason FROM dead_letters ORDER BY reason")
        .await;
    assert_eq!(
        dead,
        [
            json!({ "kind": "event", "reason": "the body is not JSON" }),
            json!({ "kind": "event", "reason": "the body is not a webhook of a WhatsApp Business account" }),
        ]
    );
}

#[tokio::test]
async fn an_event_whose_key_cannot_be_had_waits_for_it() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(&lab).await;
    let sent = echoing(status(&stage, "wamid.A", "sent", 1), id);
    let body = envelope(&[change(&lab, "statuses", &[sent])]).to_string();
    stage.receive(&[body.as_bytes()]).await;
    let nil = "owner_id = '00000000-0000-0000-0000-000000000000'";
    stage
        .test
        .execute(&format!("CREATE TABLE away AS SELECT * FROM data_keys WHERE {nil}; DELETE FROM data_keys WHERE {nil}"))
        .await;

    let engine = stage.engine();
    let waiting = "SELECT id FROM work WHERE kind = 'event' AND state = 'waiting' AND failures = 1";
    eventually(LIMIT, async || stage.test.rows(waiting).await.len() == 1).await;
    engine.finish().await;
    assert_eq!(stage.state(id).await["state"], "queued");

    stage
        .test
        .execute("INSERT INTO data_keys SELECT * FROM away")
        .await;
    stage.clock.advance(Duration::from_secs(2));
    stage.work_off().await;
    assert_eq!(stage.state(id).await["state"], "sent");
    assert_eq!(stage.count("dead_letters").await, 0);
}
