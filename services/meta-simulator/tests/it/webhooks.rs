use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use meta_simulator::{App, Business, HandshakeError, Inbound, InboundContent};
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::{Receiver, receiver::Answer};

use crate::lab::{APP, ASHA, Lab, MEERA, NUMBER, WABA, code};

const PATIENCE: Duration = Duration::from_secs(10);

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_webhook_is_escaped_and_signed_over_its_bytes() {
    let lab = Lab::open().await;
    let id = lab
        .simulator
        .inbound(Inbound::text(NUMBER, "919876543211", "रिपोर्ट / 👍"))
        .unwrap();
    lab.inbound_value(&id).await;
    let post = &lab.callback.requests()[0];
    assert_eq!(
        post.header("x-hub-signature-256"),
        signature("app_secret", &post.body)
    );
    let body = std::str::from_utf8(&post.body).unwrap();
    assert!(body.is_ascii());
    assert!(
        body.contains(r"\u0930\u093f\u092a\u094b\u0930\u094d\u091f \/ \ud83d\udc4d"),
        "{body}"
    );
    let rewritten = post.json().to_string();
    assert_ne!(
        signature("app_secret", rewritten.as_bytes()),
        post.header("x-hub-signature-256")
    );
}

#[tokio::test]
async fn what_is_not_answered_with_200_comes_again() {
    let lab = Lab::open().await;
    for refusal in [500, 404, 202] {
        lab.callback.answer_next(Answer::status(refusal));
    }
    let id = lab.write_in(MEERA);
    let posts = lab.callback.wait_for(4, PATIENCE).await;
    assert!(
        posts.iter().all(|post| post.body == posts[0].body),
        "the same bytes each time"
    );
    lab.inbound_value(&id).await;
    let later = lab.write_in(ASHA);
    lab.inbound_value(&later).await;
    assert_eq!(
        lab.callback.requests().len(),
        5,
        "what was taken does not come again"
    );
}

#[tokio::test]
async fn a_callback_that_is_down_does_not_hold_up_another() {
    let lab = Lab::open().await;
    let other = Receiver::start().await;
    lab.callback.answer_all(Answer::Never);
    lab.simulator
        .add_app(App::new("2", "other-secret").callback(other.url("/")));
    lab.simulator.add_business(Business {
        subscribed_apps: vec![APP.into(), "2".into()],
        ..Business::new(WABA, APP)
    });
    lab.write_in(MEERA);
    let post = &other.wait_for(1, PATIENCE).await[0];
    assert_eq!(
        post.header("x-hub-signature-256"),
        signature("other-secret", &post.body)
    );
}

#[tokio::test]
async fn a_webhook_that_waits_for_its_next_try_does_not_hold_up_the_others() {
    let lab = Lab::with(|config| {
        config.webhooks.in_flight = 1;
        config.webhooks.retry_first = Duration::from_mins(1);
    })
    .await;
    lab.callback.answer_next(Answer::status(500));
    lab.write_in(MEERA);
    lab.callback.wait_for(1, PATIENCE).await;
    let id = lab.write_in(ASHA);
    lab.inbound_value(&id).await;
}

#[tokio::test]
async fn a_callback_must_answer_the_challenge() {
    let lab = Lab::open().await;
    let careless = Receiver::start().await;
    careless.answer_all(Answer::status(200).body("welcome"));
    let refused = lab
        .simulator
        .set_webhook(APP, &careless.url("/hook?a=1"), "secret".into())
        .await;
    assert!(
        matches!(refused, Err(HandshakeError::Challenge)),
        "{refused:?}"
    );
    let asked = &careless.requests()[0];
    assert!(
        asked
            .path
            .starts_with("/hook?a=1&hub.mode=subscribe&hub.challenge="),
        "{}",
        asked.path
    );
    assert!(asked.path.ends_with("&hub.verify_token=secret"));

    careless.answer_all(Answer::status(403));
    let refused = lab
        .simulator
        .set_webhook(APP, &careless.url("/"), "secret".into())
        .await;
    assert!(
        matches!(refused, Err(HandshakeError::Status(403))),
        "{refused:?}"
    );

    lab.write_in(MEERA);
    lab.callback.wait_for(1, PATIENCE).await;
}

/// A callback that answers the challenge and keeps what it is sent.
async fn echo() -> (
    String,
    tokio::sync::mpsc::UnboundedReceiver<Value>,
    tokio::task::JoinSet<()>,
) {
    use axum::{Json, Router, extract::Query, routing::get};
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let take = move |Json(body): Json<Value>| async move {
        sender.send(body).ok();
    };
    let challenge = async |Query(query): Query<Vec<(String, String)>>| {
        query
            .into_iter()
            .find(|(key, _)| key == "hub.challenge")
            .unwrap()
            .1
    };
    let router = Router::new().route("/hook", get(challenge).post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, receiver, server)
}

#[tokio::test]
async fn an_override_of_the_account_and_then_of_the_number_wins() {
    let lab = Lab::open().await;
    let (account_url, mut account, _account) = echo().await;
    let (number_url, mut number, _number) = echo().await;
    let configure = |url: &str| json!({ "override_callback_uri": url, "verify_token": "t" });

    let path = format!("/v25.0/{WABA}/subscribed_apps");
    assert_eq!(
        lab.post(&path, &configure(&account_url)).await,
        (200, json!({ "success": true }))
    );
    assert_eq!(
        lab.get(&path).await.1["data"][0]["override_callback_uri"],
        account_url
    );
    lab.write_in(MEERA);
    assert_eq!(account.recv().await.unwrap()["entry"][0]["id"], WABA);

    let phone = format!("/v25.0/{NUMBER}");
    lab.post(
        &phone,
        &json!({ "webhook_configuration": configure(&number_url) }),
    )
    .await;
    lab.write_in(MEERA);
    assert!(number.recv().await.is_some());

    lab.post(&phone, &json!({ "webhook_configuration": configure("") }))
        .await;
    lab.post(&path, &json!({})).await;
    lab.write_in(MEERA);
    lab.callback.wait_for(1, PATIENCE).await;
    assert!(account.try_recv().is_err() && number.try_recv().is_err());
}

#[tokio::test]
async fn an_override_that_cannot_be_verified_is_refused() {
    let lab = Lab::open().await;
    let body = json!({ "override_callback_uri": lab.callback.url("/"), "verify_token": "t" });
    let answer = lab
        .post(&format!("/v25.0/{WABA}/subscribed_apps"), &body)
        .await;
    assert_eq!(code(&answer), 2200);
}

#[tokio::test]
async fn an_app_sets_its_callback_with_its_own_token() {
    let lab = Lab::open().await;
    let (url, mut posts, _server) = echo().await;
    let body =
        json!({ "object": "whatsapp_business_account", "callback_url": url, "verify_token": "t" });
    let path = format!("/v25.0/{APP}/subscriptions?access_token={APP}%7Capp_secret");
    let request = lab
        .http
        .post(format!("{}{path}", lab.simulator.base_url()))
        .json(&body);
    assert_eq!(crate::lab::answer(request).await.0, 200);
    lab.write_in(MEERA);
    assert!(posts.recv().await.is_some());
}

#[tokio::test]
async fn replies_have_the_shapes_of_meta() {
    let lab = Lab::open().await;
    let reply = |content| Inbound {
        phone_number_id: NUMBER.into(),
        from: ASHA.into(),
        reply_to: Some("wamid.x".into()),
        content,
    };
    let contents = [
        InboundContent::ButtonReply {
            id: "yes".into(),
            title: "Yes".into(),
        },
        InboundContent::ListReply {
            id: "1".into(),
            title: "Ten".into(),
            description: None,
        },
        InboundContent::Button {
            text: "Talk".into(),
            payload: "talk".into(),
        },
        InboundContent::Unsupported,
    ];
    let mut messages = Vec::new();
    for content in contents {
        let id = lab.simulator.inbound(reply(content)).unwrap();
        messages.push(lab.inbound_value(&id).await["messages"][0].clone());
    }
    assert_eq!(
        messages[0]["context"],
        json!({ "from": "918047182200", "id": "wamid.x" })
    );
    assert_eq!(
        messages[0]["interactive"],
        json!({ "type": "button_reply", "button_reply": { "id": "yes", "title": "Yes" } })
    );
    assert_eq!(messages[1]["interactive"]["list_reply"]["id"], "1");
    assert_eq!(
        messages[2]["button"],
        json!({ "text": "Talk", "payload": "talk" })
    );
    assert_eq!(messages[3]["errors"][0]["code"], 131_051);
}

#[tokio::test]
async fn a_contact_has_a_name_a_phone_and_a_user_id() {
    let lab = Lab::open().await;
    let id = lab.write_in(ASHA);
    let value = lab.inbound_value(&id).await;
    let contact = &value["contacts"][0];
    assert_eq!(
        (&contact["wa_id"], &contact["profile"]["name"]),
        (&json!("919876543210"), &json!("Asha Verma"))
    );
    assert_eq!(contact["user_id"], value["messages"][0]["from_user_id"]);
    assert_eq!(
        value["metadata"],
        json!({ "display_phone_number": "918047182200", "phone_number_id": NUMBER })
    );
}

#[tokio::test]
async fn any_webhook_can_be_sent() {
    let lab = Lab::open().await;
    lab.simulator
        .emit(WABA, "something_new", json!({ "event": "UNHEARD_OF" }));
    let post = &lab.callback.wait_for(1, PATIENCE).await[0];
    let change = &post.json()["entry"][0]["changes"][0];
    assert_eq!(
        *change,
        json!({ "field": "something_new", "value": { "event": "UNHEARD_OF" } })
    );
}

#[tokio::test]
async fn many_statuses_share_a_post_when_the_callback_is_slow() {
    let lab = Lab::with(|config| {
        config.webhooks.in_flight = 1;
        config.limits.pair_interval = Duration::ZERO;
    })
    .await;
    for index in 0..30 {
        lab.send_camp(MEERA, &format!("m-{index}")).await;
    }
    lab.status_names(90).await;
    assert!(
        lab.callback.requests().len() < 90,
        "{}",
        lab.callback.requests().len()
    );
}
