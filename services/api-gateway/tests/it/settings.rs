//! What a lab can change about itself: its access token and where its callbacks go.

use std::time::Duration;

use domain::{Backoff, Clock as _, Scope, SenderNumberId, SystemClock};
use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use storage::{
    callbacks::list_endpoints,
    credentials::list_credentials,
    work::{NewPause, insert_pauses},
};

use crate::support::{App, Lab, body_of, connect, merged, problem, registration, report, text};

async fn number(app: &App) -> SenderNumberId {
    let rows = app.database.rows("select id from sender_numbers").await;
    SenderNumberId::from_uuid(text(&rows[0], "id").parse().unwrap())
}

async fn replace_token(app: &App, lab: &Lab, token: &Value) -> reqwest::Response {
    let request = app.put(&lab.key, &format!("/api/labs/{}/credential", lab.id));
    request
        .json(&json!({ "access_token": token }))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_new_token_takes_the_old_ones_place_and_what_waited_for_it_goes_on() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    app.accepted(&lab, &report()).await;
    let number = number(&app).await;
    let scope = Scope::credential(number);
    let pause = NewPause {
        scope: scope.clone(),
        tenant_id: Some(lab.tenant()),
        reason: "the access token is refused".to_owned(),
        backoff: Backoff::constant(Duration::from_hours(1)),
    };
    let mut connection = app.worker.acquire().await.unwrap();
    insert_pauses(&mut connection, &[pause], SystemClock.now())
        .await
        .unwrap();
    let hold = format!("update work set state = 'held', hold_scope = '{scope}', reason = 'x'");
    app.database.execute(&hold).await;

    let answer = replace_token(&app, &lab, &json!("EAAG-a-new-token-9876")).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.text().await.unwrap(), "");

    let sealed = list_credentials(&mut connection, &[number]).await.unwrap();
    let token = app
        .records(&lab)
        .await
        .open_access_token(&sealed[&number].access_token);
    assert_eq!(token.unwrap().expose_secret(), "EAAG-a-new-token-9876");
    assert_eq!(app.count("credentials").await, 1);
    assert_eq!(app.count("pauses").await, 0);
    let work = app
        .database
        .rows("select state, hold_scope, reason from work")
        .await;
    assert_eq!(
        work,
        [json!({ "state": "waiting", "hold_scope": null, "reason": null })]
    );
}

#[tokio::test]
async fn a_token_cannot_be_read_with_the_gateways_rights() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let gateway = connect(&app.database.gateway_url);
    let number = number(&app).await;
    let mut tx = gateway.begin_for(&[lab.tenant()]).await.unwrap();
    let read = list_credentials(&mut tx, &[number]).await;
    assert!(
        matches!(read, Err(storage::Error::Statement(_))),
        "{read:?}"
    );

    let paths = [
        format!("/api/labs/{}/credential", lab.id),
        format!("/api/labs/{}/callback", lab.id),
    ];
    for path in paths {
        let answer = app.get(&lab.key, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn a_token_needs_a_number_and_visible_characters() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    for token in [
        json!(""),
        json!("two words"),
        json!("x".repeat(4097)),
        Value::Null,
        json!(7),
    ] {
        let answer = replace_token(&app, &lab, &token).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{token}");
        assert_eq!(
            problem(answer).await["errors"][0]["pointer"],
            "/access_token"
        );
    }
    let numberless = merged(registration("1002"), json!({ "sender": null }));
    let numberless = app.lab_of(&numberless).await;
    let answer = replace_token(&app, &numberless, &json!("EAAG-a-token-1234")).await;
    assert_eq!(problem(answer).await["code"], "WHATSAPP_SESSION_NOT_FOUND");
}

#[tokio::test]
async fn a_new_callback_address_takes_the_old_ones_place_with_a_new_secret() {
    let app = App::start().await;
    let body = merged(
        registration("1001"),
        json!({ "callback": { "url": "https://old.example/" } }),
    );
    let lab = app.lab_of(&body).await;
    let request = app.put(&lab.key, &format!("/api/labs/{}/callback", lab.id));
    let request = request.json(&json!({ "url": "https://new.example/hook" }));
    let answer = body_of(request.send().await.unwrap(), StatusCode::OK).await;
    let secret = text(&answer, "callback_secret");
    assert!(secret.starts_with("whsec_"), "{secret}");
    assert_ne!(Some(&secret), lab.callback_secret.as_ref());

    let mut connection = app.worker.acquire().await.unwrap();
    let endpoints = list_endpoints(&mut connection, &[lab.tenant()])
        .await
        .unwrap();
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints[0].url, "https://new.example/hook");
    let opened = app
        .records(&lab)
        .await
        .open_callback_secret(&endpoints[0].secret);
    assert_eq!(opened.unwrap().expose_secret(), secret);
}

#[tokio::test]
async fn a_callback_address_must_be_a_public_one() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let mut told = Vec::new();
    for url in [
        "http://lims.example/",
        "https://192.168.0.1/",
        "https://127.0.0.1/",
        "https://user:secret@lims.example/",
        "lims.example",
    ] {
        let request = app.put(&lab.key, &format!("/api/labs/{}/callback", lab.id));
        let answer = request.json(&json!({ "url": url })).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{url}");
        told.push(problem(answer).await);
    }
    insta::assert_json_snapshot!("callback_addresses", told);
    assert_eq!(app.count("callback_endpoints").await, 0);
}

#[tokio::test]
async fn where_loopback_is_allowed_a_callback_may_stay_on_the_machine() {
    let database = testkit::database().await;
    let url = database.gateway_url.clone();
    let settings = [("LABWIRE_CALLBACKS__ALLOW_LOOPBACK", "true")];
    let app = App::start_through(database, url, &settings).await;
    let lab = app.lab("1001").await;
    let request = app.put(&lab.key, &format!("/api/labs/{}/callback", lab.id));
    let answer = request
        .json(&json!({ "url": "http://127.0.0.1:9000/hook" }))
        .send();
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
}
