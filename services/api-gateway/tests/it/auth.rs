use domain::{ApiKeyId, Clock as _, SystemClock};
use reqwest::StatusCode;
use storage::api_keys::revoke_api_key;
use testkit::eventually;
use uuid::Uuid;
use vault::ApiKey;

use crate::support::{App, LIMIT, problem, registration, report};

#[tokio::test]
async fn an_absent_an_unknown_and_a_wrong_key_are_refused_alike() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let (unknown, _) = ApiKey::generate(Uuid::now_v7());
    let (wrong, _) = ApiKey::generate(ApiKey::parse(&lab.key).unwrap().id);

    let path = format!("/api/labs/{}/stats", lab.id);
    let absent = app.client.get(app.url(&path)).send().await.unwrap();
    assert_eq!(absent.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(absent.headers()["www-authenticate"], "Bearer");
    let absent = problem(absent).await;
    insta::assert_json_snapshot!("unauthorized", absent);
    for key in ["lw_nonsense", unknown.expose(), wrong.expose()] {
        let answer = app.get(key, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(problem(answer).await, absent);
    }
    let right = app.get(&lab.key, &path).send().await.unwrap();
    assert_eq!(right.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_revoked_key_is_refused_soon() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let path = format!("/api/labs/{}/stats", lab.id);
    let before = app.get(&lab.key, &path).send().await.unwrap();
    assert_eq!(before.status(), StatusCode::OK);

    let id = ApiKeyId::from_uuid(ApiKey::parse(&lab.key).unwrap().id);
    let mut connection = app.owner.acquire().await.unwrap();
    let revoked = revoke_api_key(&mut connection, id, SystemClock.now()).await;
    assert!(revoked.unwrap());

    eventually(std::time::Duration::from_secs(5), async || {
        let answer = app.get(&lab.key, &path).send().await.unwrap();
        answer.status() == StatusCode::UNAUTHORIZED
    })
    .await;
}

#[tokio::test]
async fn a_vendors_key_and_a_labs_key_are_not_each_other() {
    let app = App::start().await;
    let lab = app.lab("1001").await;

    let registered = app.post(&lab.key, "/api/labs/register");
    let registered = registered.json(&registration("1002")).send().await.unwrap();
    assert_eq!(registered.status(), StatusCode::FORBIDDEN);
    insta::assert_json_snapshot!("lab_key_registers", problem(registered).await);

    let sent = app.post(&app.vendor_key, "/api/messages/send-report");
    let sent = sent.json(&report()).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::FORBIDDEN);
    insta::assert_json_snapshot!("vendor_key_sends", problem(sent).await);
    assert_eq!(
        (app.count("tenants").await, app.count("messages").await),
        (1, 0)
    );
    eventually(LIMIT, async || app.files() == 0).await;
}
