use meta_simulator::{App, Business, Number, NumberState, Token};
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::lab::{APP, Lab, MEERA, NUMBER, TOKEN, WABA, answer, code, text};

#[tokio::test]
async fn a_call_needs_a_token_that_is_known_and_alive() {
    let lab = Lab::open().await;
    let url = format!("{}/v25.0/{NUMBER}", lab.simulator.base_url());
    let none = answer(lab.http.get(&url)).await;
    assert_eq!((none.0, code(&none)), (401, 104));
    let unknown = answer(lab.http.get(&url).bearer_auth("guess")).await;
    assert_eq!(
        (
            unknown.0,
            code(&unknown),
            &unknown.1["error"]["error_subcode"]
        ),
        (401, 190, &json!(null))
    );

    assert!(lab.simulator.expire_token(&TOKEN.into()));
    let expired = lab.send(text(MEERA, "")).await;
    assert_eq!(
        (
            expired.0,
            code(&expired),
            &expired.1["error"]["error_subcode"]
        ),
        (401, 190, &json!(463))
    );
    assert!(lab.simulator.repair_token(&TOKEN.into()));
    assert_eq!(lab.send(text(MEERA, "")).await.0, 200);
    assert!(!lab.simulator.expire_token(&"guess".into()));
}

#[tokio::test]
async fn a_token_ends_at_its_time() {
    let lab = Lab::open().await;
    let ends = lab.simulator.clock().now() + std::time::Duration::from_mins(1);
    lab.simulator.add_token(Token {
        expires_at: Some(ends),
        ..Token::new("short", APP)
    });
    let get = async || {
        answer(
            lab.http
                .get(format!("{}/v25.0/{NUMBER}", lab.simulator.base_url()))
                .bearer_auth("short"),
        )
        .await
        .0
    };
    assert_eq!(get().await, 200);
    lab.simulator
        .clock()
        .advance(std::time::Duration::from_mins(1));
    assert_eq!(get().await, 401);
}

#[rstest]
#[case::its_own("w2", None, 0)]
#[case::of_another("w9", None, 100)]
#[case::without_the_scope("w2", Some("whatsapp_business_management"), 10)]
#[tokio::test]
async fn a_token_reaches_its_accounts_alone(
    #[case] reached: &str,
    #[case] only_scope: Option<&str>,
    #[case] expected: u64,
) {
    let lab = Lab::open().await;
    lab.simulator.add_app(App::new("2", "s"));
    lab.simulator.add_business(Business::new("w2", "2"));
    lab.simulator
        .add_number(Number::new("n2", "w2", "+4915112345678"));
    let mut token = Token::new("t2", "2").only(reached);
    if let Some(scope) = only_scope {
        token.scopes = vec![scope.into()];
    }
    lab.simulator.add_token(token);
    let mut message = text(MEERA, "");
    message["messaging_product"] = json!("whatsapp");
    let url = format!("{}/v25.0/n2/messages", lab.simulator.base_url());
    let refused = answer(lab.http.post(url).bearer_auth("t2").json(&message)).await;
    assert_eq!(code(&refused), expected);
    if expected == 100 {
        assert_eq!(refused.1["error"]["error_subcode"], 33);
        assert_eq!(refused.1["error"]["type"], "GraphMethodException");
    }
}

#[tokio::test]
async fn debug_token_tells_good_from_expired_and_unknown() {
    let lab = Lab::open().await;
    lab.simulator.add_token(Token::new("t2", APP).only(WABA));
    let debug = async |token: &str| {
        lab.get(&format!("/v25.0/debug_token?input_token={token}"))
            .await
            .1["data"]
            .clone()
    };
    let good = debug("t2").await;
    assert_eq!(
        (&good["is_valid"], &good["app_id"], &good["expires_at"]),
        (&json!(true), &json!(APP), &json!(0))
    );
    assert_eq!(
        good["granular_scopes"][0],
        json!({ "scope": "whatsapp_business_messaging", "target_ids": [WABA] })
    );
    lab.simulator.expire_token(&"t2".into());
    let expired = debug("t2").await;
    assert_eq!(
        (&expired["is_valid"], &expired["error"]["subcode"]),
        (&json!(false), &json!(463))
    );
    assert_eq!(debug("guess").await["is_valid"], false);
}

#[tokio::test]
async fn a_number_shows_the_fields_asked_for() {
    let lab = Lab::open().await;
    let (_, number) = lab
        .get(&format!(
            "/v25.0/{NUMBER}?fields=status,throughput,health_status"
        ))
        .await;
    assert_eq!(number["status"], "CONNECTED");
    assert_eq!(number["throughput"], json!({ "level": "STANDARD" }));
    assert_eq!(number["health_status"]["can_send_message"], "AVAILABLE");
    assert_eq!(number.as_object().unwrap().len(), 4);
    lab.simulator
        .set_number_state(NUMBER, NumberState::PaymentProblem);
    let (_, number) = lab
        .get(&format!("/v25.0/{NUMBER}?fields=health_status"))
        .await;
    assert_eq!(
        number["health_status"]["entities"][0]["errors"][0]["error_code"],
        141_006
    );
}

#[tokio::test]
async fn an_account_lists_its_numbers_and_apps() {
    let lab = Lab::open().await;
    let (_, numbers) = lab.get(&format!("/v25.0/{WABA}/phone_numbers")).await;
    assert_eq!(numbers["data"][0]["id"], NUMBER);
    assert_eq!(numbers["data"][0]["verified_name"], "Sunrise Diagnostics");
    assert_eq!(
        lab.get(&format!("/v25.0/{WABA}?fields=name")).await.1["name"],
        "Sunrise Diagnostics"
    );
    let path = format!("/v25.0/{WABA}/subscribed_apps");
    let subscribed = async || lab.get(&path).await.1["data"].as_array().unwrap().len();
    assert_eq!(subscribed().await, 1);
    lab.delete(&path).await;
    assert_eq!(subscribed().await, 0);
    lab.post(&path, &json!({})).await;
    assert_eq!(subscribed().await, 1);
}

#[tokio::test]
async fn a_number_is_registered_with_its_pin_and_not_too_often() {
    let lab = Lab::open().await;
    lab.simulator
        .set_number_state(NUMBER, NumberState::Unregistered);
    let register = async |pin: &str| {
        let body = json!({ "messaging_product": "whatsapp", "pin": pin });
        code(&lab.post(&format!("/v25.0/{NUMBER}/register"), &body).await)
    };
    assert_eq!(register("12345").await, 100);
    assert_eq!(register("123456").await, 0);
    assert_eq!(lab.send(text(MEERA, "")).await.0, 200);
    assert_eq!(register("654321").await, 133_005);
    for _ in 0..8 {
        assert_eq!(register("123456").await, 0);
    }
    assert_eq!(register("123456").await, 133_016);
    lab.post(&format!("/v25.0/{NUMBER}/deregister"), &json!({}))
        .await;
    assert_eq!(code(&lab.send(text(MEERA, "")).await), 133_010);
}

#[tokio::test]
async fn the_history_of_a_message_repairs_lost_webhooks() {
    let lab = Lab::open().await;
    let (_, sent) = lab.send_camp(MEERA, "m-1").await;
    lab.status("m-1", "read").await;
    let id = sent["messages"][0]["id"].as_str().unwrap();
    let history = |id: &str| format!("/v25.0/{NUMBER}/message_history?message_id={id}");
    let (_, found) = lab.get(&history(id)).await;
    let events = found["data"][0]["events"]["data"].as_array().unwrap();
    let names: Vec<_> = events
        .iter()
        .map(|event| event["delivery_status"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["SENT", "DELIVERED", "READ"]);
    assert_eq!(
        lab.get(&history("wamid.none")).await.1,
        json!({ "data": [] })
    );
}

#[tokio::test]
async fn an_unknown_object_is_not_told_from_a_forbidden_one() {
    let lab = Lab::open().await;
    for (method, path) in [
        (Method::GET, "/v25.0/77"),
        (Method::POST, "/v25.0/77/media"),
        (Method::DELETE, "/v25.0/77"),
    ] {
        let refused = answer(lab.request(method, path)).await;
        assert_eq!(
            (
                refused.0,
                code(&refused),
                &refused.1["error"]["error_subcode"]
            ),
            (400, 100, &json!(33))
        );
    }
}
