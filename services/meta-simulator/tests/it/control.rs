use meta_simulator::{Config, Seed};
use serde_json::json;

use crate::lab::{Lab, MEERA, NUMBER, answer, code};

#[tokio::test]
async fn a_laboratory_can_be_set_up_over_http_alone() {
    let lab = Lab::with(|config: &mut Config| {
        config.seed = Seed {
            apps: config.seed.apps.clone(),
            ..Seed::default()
        }
    })
    .await;
    let control = [
        ("apps", json!({ "app_id": "7", "app_secret": "s" })),
        (
            "businesses",
            json!({ "waba_id": "70", "subscribed_apps": ["7"] }),
        ),
        (
            "numbers",
            json!({ "phone_number_id": "700", "waba_id": "70", "display_phone_number": "+91 80 1234 5678", "throughput": 2 }),
        ),
        (
            "tokens",
            json!({ "token": "t7", "app_id": "7", "waba_ids": ["70"] }),
        ),
        (
            "templates",
            json!({ "waba_id": "70", "name": "plain", "language": "en", "components": [{ "type": "BODY", "text": "Hi" }] }),
        ),
        (
            "recipients",
            json!({ "phone": MEERA, "name": "Meera", "auto_read": false }),
        ),
        (
            "faults",
            json!({ "effect": "error", "code": 131_000, "times": 1 }),
        ),
    ];
    for (what, body) in control {
        let (status, answer) = lab.post(&format!("/_sim/{what}"), &body).await;
        assert_eq!(status, 200, "{what}: {answer}");
    }
    let message = json!({ "messaging_product": "whatsapp", "to": MEERA, "type": "template", "biz_opaque_callback_data": "m-1",
                          "template": { "name": "plain", "language": { "code": "en" } } });
    let send = async || {
        let url = format!("{}/v25.0/700/messages", lab.simulator.base_url());
        code(&answer(lab.http.post(url).bearer_auth("t7").json(&message)).await)
    };
    assert_eq!([send().await, send().await, send().await], [131_000, 0, 0]);
    assert_eq!(lab.get("/_sim/ledger?opaque=m-1").await.1["count"], 2);
    let (_, all) = lab.get("/_sim/ledger").await;
    assert_eq!(all["duplicates"], json!([{ "opaque": "m-1", "count": 2 }]));

    lab.post("/_sim/tokens/expire", &json!({ "token": "t7" }))
        .await;
    assert_eq!(send().await, 190);
    lab.post("/_sim/tokens/repair", &json!({ "token": "t7" }))
        .await;
    let change = lab
        .request(reqwest::Method::PATCH, "/_sim/numbers/700")
        .json(&json!({ "state": "locked" }));
    assert_eq!(answer(change).await.0, 200);
    assert_eq!(send().await, 131_031);
}

#[tokio::test]
async fn a_reset_brings_the_seed_back() {
    let lab = Lab::open().await;
    lab.send_camp(MEERA, "m-1").await;
    lab.post("/_sim/faults", &json!({ "effect": "no_statuses" }))
        .await;
    let (_, first) = lab.get("/_sim/conversations").await;
    assert_eq!(first["data"].as_array().unwrap().len(), 1);
    lab.post("/_sim/reset", &json!({})).await;
    let (_, second) = lab.get("/_sim/conversations").await;
    assert_eq!(second["data"], json!([]));
    assert_ne!(first["version"], second["version"]);
    assert_eq!(lab.simulator.ledger().total(), 0);
    assert_eq!(lab.get("/_sim/faults").await.1, json!({ "data": [] }));
    assert_eq!(lab.send_camp(MEERA, "m-1").await.0, 200);
}

#[tokio::test]
async fn faults_can_be_seen_and_taken_back() {
    let lab = Lab::open().await;
    let (_, fault) = lab
        .post(
            "/_sim/faults",
            &json!({ "effect": "error", "code": 4, "to": MEERA }),
        )
        .await;
    let (_, faults) = lab.get("/_sim/faults").await;
    assert_eq!(
        faults["data"][0]["fault"],
        json!({ "effect": "error", "code": 4, "on": "messages", "to": MEERA })
    );
    assert_eq!(code(&lab.send_camp(MEERA, "").await), 4);
    assert_eq!(
        lab.delete(&format!("/_sim/faults/{}", fault["id"])).await.0,
        200
    );
    assert_eq!(
        lab.delete(&format!("/_sim/faults/{}", fault["id"])).await.0,
        404
    );
    assert_eq!(lab.send_camp(MEERA, "").await.0, 200);
}

#[tokio::test]
async fn what_control_does_not_understand_is_refused() {
    let lab = Lab::open().await;
    assert_eq!(
        lab.post("/_sim/faults", &json!({ "effect": "explode" }))
            .await
            .0,
        422
    );
    assert_eq!(
        lab.post("/_sim/numbers", &json!({ "phone": "1" })).await.0,
        422
    );
    assert_eq!(lab.get("/_sim/nothing").await.0, 404);
    let stranger = json!({ "phone_number_id": "77", "from": MEERA, "type": "text", "body": "x" });
    assert_eq!(lab.post("/_sim/inbound", &stranger).await.0, 422);
    let careless = json!({ "app_id": "7", "app_secret": "s", "callback_url": lab.callback.url("/"), "verify_token": "t" });
    assert_eq!(
        lab.post("/_sim/apps", &careless).await.0,
        422,
        "the callback does not echo the challenge"
    );
}

#[tokio::test]
async fn conversations_beyond_the_limit_are_dropped_but_stay_counted() {
    let lab = Lab::with(|config: &mut Config| config.limits.conversations = 2).await;
    for index in 0..4 {
        lab.send_camp(&format!("+91700000000{index}"), &format!("m-{index}"))
            .await;
    }
    lab.status("m-0", "read").await;
    let kept: Vec<_> = lab
        .simulator
        .conversations()
        .into_iter()
        .map(|chat| chat.wa_id)
        .collect();
    assert_eq!(kept.len(), 2);
    assert!(
        kept.iter()
            .all(|wa_id| wa_id.ends_with('2') || wa_id.ends_with('3')),
        "{kept:?}"
    );
    assert_eq!(
        (
            lab.simulator.ledger().total(),
            lab.simulator.ledger().count("m-0")
        ),
        (4, 1)
    );
    assert!(
        lab.simulator
            .conversation(NUMBER, "+917000000000")
            .is_none()
    );
}

#[tokio::test]
async fn a_simulator_that_is_shut_down_answers_no_more() {
    let lab = Lab::open().await;
    lab.simulator.shutdown().await;
    assert!(lab.http.get(lab.simulator.base_url()).send().await.is_err());
}
