use std::net::SocketAddr;

use reqwest::StatusCode;
use testkit::{TcpProxy, database::through, eventually};

use crate::support::{App, LIMIT, problem, registration, report};

fn address(url: &str) -> SocketAddr {
    let authority = url.split("://").nth(1).unwrap().split('/').next().unwrap();
    authority.rsplit('@').next().unwrap().parse().unwrap()
}

async fn start() -> (App, TcpProxy) {
    let database = testkit::database().await;
    let proxy = TcpProxy::start(address(&database.gateway_url)).await;
    let url = through(&database.gateway_url, proxy.address());
    let settings = [("LABWIRE_POSTGRES__ACQUIRE_TIMEOUT", "1s")];
    (App::start_through(database, url, &settings).await, proxy)
}

#[tokio::test]
async fn while_the_database_is_away_nothing_is_half_done_and_then_all_goes_on() {
    let (app, proxy) = start().await;
    let lab = app.lab("1001").await;
    app.accepted(&lab, &report()).await;

    proxy.cut().await;
    let sent = app.send(&lab, &report()).await;
    assert_eq!(sent.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(sent.headers()["retry-after"], "2");
    let away = problem(sent).await;
    insta::assert_json_snapshot!("service_unavailable", away);
    let registered = app.register(&registration("1002")).await;
    assert_eq!(problem(registered).await, away);
    for path in [
        format!("/api/labs/{}/stats", lab.id),
        format!("/api/messages/{}/history", lab.id),
    ] {
        let answer = app.get(&lab.key, &path).send().await.unwrap();
        assert_eq!(problem(answer).await, away, "{path}");
    }
    let health = app.client.get(app.url("/health")).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (app.count("messages").await, app.count("tenants").await),
        (1, 1)
    );
    eventually(LIMIT, async || match app.files() {
        1 => Ok(()),
        files => Err(files),
    })
    .await;

    proxy.heal().await;
    eventually(LIMIT, async || {
        let answer = app.send(&lab, &report()).await;
        answer.status() == StatusCode::ACCEPTED
    })
    .await;
    assert_eq!(app.count("messages").await, 2);
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_not_waited_for_without_end() {
    let (app, proxy) = start().await;
    let lab = app.lab("1001").await;
    app.accepted(&lab, &report()).await;
    proxy.stall().await;
    let request = app.report(&lab, &report()).header("idempotency-key", "k-1");
    let sent = request.send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::SERVICE_UNAVAILABLE);
    proxy.heal().await;
    // Whether the first was stored is not told; the second says the same as if nothing had happened.
    let mut last = None;
    for _ in 0..2 {
        let request = app.report(&lab, &report()).header("idempotency-key", "k-1");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let body = answer.text().await.unwrap();
        assert!(last.is_none_or(|last| last == body));
        last = Some(body);
    }
    assert_eq!(app.count("messages").await, 2);
}
