use contracts::{InboundKind, InboundReceived};
use convergence::{announce_inbound, learn, public_code};
use domain::{ErrorClass, InboundMessageId, MessageState, ReportedStatus, ThrottleScope};
use serde_json::json;

use crate::stage::{based, heard, now, stage};

#[tokio::test]
async fn an_endpoint_is_told_of_each_new_state_once() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let id = stage.message(lab).await;
    for status in [
        ReportedStatus::Sent,
        ReportedStatus::Sent,
        ReportedStatus::Delivered,
        // Late, and nothing new.
        ReportedStatus::Sent,
        ReportedStatus::Read,
        ReportedStatus::Delivered,
    ] {
        stage.learn(vec![heard(id, status)]).await;
    }
    let told = stage.told(endpoint).await;
    let types: Vec<&str> = told.iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["message.sent", "message.delivered", "message.read"]);
    let row = stage.state(id).await;
    assert_eq!(told[1]["data"]["message_id"], id.to_string());
    assert_eq!(told[1]["data"]["lab_id"], lab.tenant.to_string());
    assert_eq!(
        told[1]["data"]["occurred_at"],
        json!(row.delivery.delivered_at)
    );
}

#[tokio::test]
async fn of_several_states_learned_at_once_the_last_is_told() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let id = stage.message(lab).await;
    let all = [
        ReportedStatus::Read,
        ReportedStatus::Sent,
        ReportedStatus::Delivered,
    ];
    stage
        .learn(all.map(|status| heard(id, status)).to_vec())
        .await;
    let told = stage.told(endpoint).await;
    assert_eq!((told.len(), &told[0]["type"]), (1, &"message.read".into()));
}

#[tokio::test]
async fn only_the_message_s_own_tenant_is_told() {
    let stage = stage().await;
    let (lab, other, silent) = (stage.lab().await, stage.lab().await, stage.lab().await);
    let old = stage.endpoint(lab, "https://old.test/").await;
    let (ours, theirs) = (
        stage.endpoint(lab, "https://lims.test/").await,
        stage.endpoint(other, "https://lims.test/").await,
    );
    let ids = [
        stage.message(lab).await,
        stage.message(other).await,
        stage.message(silent).await,
    ];
    stage
        .learn(ids.map(|id| heard(id, ReportedStatus::Sent)).to_vec())
        .await;
    for (endpoint, id) in [(ours, ids[0]), (theirs, ids[1])] {
        let told = stage.told(endpoint).await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["data"]["message_id"], id.to_string());
    }
    // A disabled endpoint hears nothing, and a lab without one costs nothing.
    assert_eq!(stage.told(old).await.len(), 0);
    assert_eq!(stage.count("callback_deliveries").await, 2);
    assert_eq!(stage.count("work where kind = 'callback'").await, 2);
}

#[tokio::test]
async fn a_failure_is_told_by_its_stable_code_and_a_later_proof_corrects_it() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let id = stage.message(lab).await;
    stage.learn(vec![heard(id, ReportedStatus::Failed)]).await;
    stage
        .learn(vec![heard(id, ReportedStatus::Delivered)])
        .await;
    let told = stage.told(endpoint).await;
    let error = json!({ "code": "RECIPIENT_UNREACHABLE", "provider_code": 131_026, "class": "unreachable" });
    assert_eq!(told[0]["type"], "message.failed");
    assert_eq!(told[0]["data"]["error"], error);
    assert_eq!(told[1]["type"], "message.delivered");
    assert_eq!(told[1]["data"]["error"], json!(null));
    // The words of a cause are for our own people.
    assert!(
        !told[0].to_string().contains("cannot be reached"),
        "{}",
        told[0]
    );
}

#[tokio::test]
async fn states_without_a_report_are_told_with_the_instant_of_learning() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let id = stage.message(lab).await;
    let mut instants = Vec::new();
    // `queued` is not told: the LIMS knows it from its own request.
    for base in [
        MessageState::Unconfirmed,
        MessageState::Queued,
        MessageState::Expired,
    ] {
        let at = now();
        let mut tx = stage.begin().await;
        learn(&mut tx, vec![based(id, base)], at).await.unwrap();
        tx.commit().await.unwrap();
        instants.push(at);
    }
    let told: Vec<_> = stage
        .told(endpoint)
        .await
        .iter()
        .map(|it| (it["type"].clone(), it["data"]["occurred_at"].clone()))
        .collect();
    let expected = [
        (json!("message.unconfirmed"), json!(instants[0])),
        (json!("message.expired"), json!(instants[2])),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_was_rolled_back_is_told_to_nobody() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let id = stage.message(lab).await;
    let mut tx = stage.begin().await;
    learn(&mut tx, vec![heard(id, ReportedStatus::Sent)], now())
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(stage.told(endpoint).await.len(), 0);
    assert_eq!(stage.state(id).await.state(), MessageState::Queued);
}

#[tokio::test]
async fn a_lab_hears_that_its_patients_wrote() {
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    let endpoint = stage.endpoint(lab, "https://lims.test/").await;
    let theirs = stage.endpoint(other, "https://other.test/").await;
    let received = InboundReceived {
        lab_id: lab.tenant,
        inbound_id: InboundMessageId::new_at(now()),
        kind: InboundKind::Text,
        occurred_at: now(),
    };
    let mut tx = stage.begin().await;
    announce_inbound(&mut tx, vec![received.clone()], now())
        .await
        .unwrap();
    announce_inbound(&mut tx, Vec::new(), now()).await.unwrap();
    tx.commit().await.unwrap();
    let told = stage.told(endpoint).await;
    assert_eq!(
        (told.len(), &told[0]["type"]),
        (1, &"message.received".into())
    );
    assert_eq!(
        told[0]["data"]["inbound_id"],
        received.inbound_id.to_string()
    );
    assert_eq!(stage.told(theirs).await.len(), 0);
}

#[test]
fn every_class_has_a_public_code() {
    let scopes = [
        ThrottleScope::App,
        ThrottleScope::Pair,
        ThrottleScope::Portfolio,
    ];
    for scope in scopes {
        assert_eq!(
            public_code(ErrorClass::Throttle(scope), None),
            "RATE_LIMIT_EXCEEDED"
        );
    }
    for (class, code) in [
        (ErrorClass::Credential, "WHATSAPP_SESSION_EXPIRED"),
        (ErrorClass::Account, "WHATSAPP_SESSION_NOT_FOUND"),
        (ErrorClass::Unreachable, "RECIPIENT_UNREACHABLE"),
        (ErrorClass::Permanent, "MESSAGE_SEND_FAILED"),
        (ErrorClass::Template, "MESSAGE_SEND_FAILED"),
    ] {
        assert_eq!(public_code(class, Some(190)), code);
    }
}
