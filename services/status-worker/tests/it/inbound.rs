use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::TenantId;
use serde_json::{Value, json};
use storage::inbound::find_window;

use crate::support::{Lab, PHONE, Stage, change, envelope, stage};

const DAY: Duration = Duration::from_hours(24);

fn webhook(lab: &Lab, message: Value) -> Value {
    envelope(&[change(lab, "messages", &[message])])
}

/// A text sent that many seconds after the test's start.
fn text(stage: &Stage, wamid: &str, seconds: i64) -> Value {
    let at = stage.now().timestamp() + seconds;
    json!({
        "from": PHONE, "id": wamid, "timestamp": at.to_string(), "type": "text", "text": { "body": "Is it ready?" },
    })
}

async fn window(stage: &Stage, lab: &Lab, contact: &str) -> Option<DateTime<Utc>> {
    let hash = lab.records.contact_hash(contact);
    let mut connection = stage.worker.acquire().await.unwrap();
    find_window(&mut connection, lab.number, &hash, stage.now())
        .await
        .unwrap()
}

/// The only inbound message, opened.
async fn stored(stage: &Stage, lab: &Lab) -> (Value, sealed_records::InboundContent) {
    let query = "SELECT kind, tenant_id, ARRAY(SELECT get_byte(content, at) FROM generate_series(0, length(content) - 1) AS at) AS content
                 FROM inbound_messages";
    let mut rows = stage.test.rows(query).await;
    assert_eq!(rows.len(), 1);
    let row = rows.remove(0);
    let bytes: Vec<u8> = serde_json::from_value(row["content"].clone()).unwrap();
    assert!(!bytes.windows(5).any(|part| part == b"ready"));
    let content = lab.records.open_inbound(&bytes).unwrap();
    (row, content)
}

#[tokio::test]
async fn a_text_is_stored_sealed_once_opens_the_window_and_is_told_once() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let body = webhook(&lab, text(&stage, "wamid.I", -60));

    stage.apply(&[body.clone(), body.clone()]).await;
    stage.apply(&[body]).await;

    let (row, content) = stored(&stage, &lab).await;
    assert_eq!(row["kind"], "text");
    assert_eq!(row["tenant_id"], json!(lab.tenant.as_uuid()));
    assert_eq!(content.text.as_deref(), Some("Is it ready?"));
    assert_eq!(content.from.as_deref(), Some(PHONE));
    // From the message's own instant, not from when we learned of it.
    let sent = stage.now().timestamp() - 60;
    let sent = DateTime::from_timestamp(sent, 0).unwrap();
    assert_eq!(window(&stage, &lab, PHONE).await, Some(sent + DAY));
    let callbacks = stage.callbacks(&lab).await;
    assert_eq!(callbacks.len(), 1);
    assert_eq!(callbacks[0]["type"], "message.received");
    assert_eq!(callbacks[0]["data"]["kind"], "text");
    assert!(!callbacks[0].to_string().contains(PHONE));
}

#[tokio::test]
async fn taps_on_buttons_and_lists_are_stored_with_their_titles() {
    let kinds = [
        (
            "button",
            json!({ "button": { "payload": "p", "text": "Yes" } }),
        ),
        (
            "interactive",
            json!({ "interactive": { "type": "list_reply", "list_reply": { "id": "1", "title": "Yes" } } }),
        ),
    ];
    for (kind, part) in kinds {
        let stage = stage().await;
        let lab = stage.lab().await;
        let mut message = text(&stage, "wamid.I", 0);
        message["type"] = json!(kind);
        message[kind] = part[kind].clone();
        message.as_object_mut().unwrap().remove("text");

        stage.apply(&[webhook(&lab, message)]).await;

        let (row, content) = stored(&stage, &lab).await;
        assert_eq!(row["kind"], kind);
        assert_eq!(content.text.as_deref(), Some("Yes"));
        assert_eq!(stage.callbacks(&lab).await[0]["data"]["kind"], kind);
    }
}

#[tokio::test]
async fn an_older_message_that_comes_late_does_not_shorten_the_window() {
    let stage = stage().await;
    let lab = stage.lab().await;

    stage
        .apply(&[webhook(&lab, text(&stage, "wamid.2", 0))])
        .await;
    let open_until = window(&stage, &lab, PHONE).await;
    stage
        .apply(&[webhook(&lab, text(&stage, "wamid.1", -3600))])
        .await;

    assert!(open_until.is_some());
    assert_eq!(window(&stage, &lab, PHONE).await, open_until);
    assert_eq!(stage.count("inbound_messages").await, 2);
}

#[tokio::test]
async fn a_patient_without_a_visible_number_is_known_by_the_user_id() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let mut message = text(&stage, "wamid.I", 0);
    message.as_object_mut().unwrap().remove("from");
    message["from_user_id"] = json!("IN.13491208655302741918");

    stage.apply(&[webhook(&lab, message)]).await;

    let (_, content) = stored(&stage, &lab).await;
    assert_eq!(content.from, None);
    assert!(
        window(&stage, &lab, "IN.13491208655302741918")
            .await
            .is_some()
    );
    assert!(window(&stage, &lab, PHONE).await.is_none());
}

#[tokio::test]
async fn a_message_to_a_number_of_nobody_is_passed_over() {
    let stage = stage().await;
    let mut lab = stage.lab().await;
    lab.phone_number_id = "nobody".to_owned();

    stage
        .apply(&[webhook(&lab, text(&stage, "wamid.I", 0))])
        .await;

    assert_eq!(stage.count("inbound_messages").await, 0);
    assert_eq!(stage.count("dead_letters").await, 0);
}

#[tokio::test]
async fn a_message_of_one_lab_opens_no_window_of_another() {
    let stage = stage().await;
    let (ours, theirs) = (stage.lab().await, stage.lab().await);

    stage
        .apply(&[webhook(&ours, text(&stage, "wamid.I", 0))])
        .await;

    assert!(window(&stage, &theirs, PHONE).await.is_none());
    assert!(stage.told(&theirs).await.is_empty());
    let tenants = stage
        .test
        .rows("SELECT tenant_id FROM conversation_windows")
        .await;
    let tenant: TenantId = ours.tenant;
    assert_eq!(tenants, [json!({ "tenant_id": tenant.as_uuid() })]);
}
