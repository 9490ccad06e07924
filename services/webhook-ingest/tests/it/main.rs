//! The webhook ingest over real HTTP, against a real database.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::time::Duration;

use domain::{EventId, WorkId};
use harness::{APP, Harness, VERIFY_TOKEN, sign};
use queue::Queue;
use testkit::eventually;

const BODY: &str =
    r#"{"object":"whatsapp_business_account","entry":[],"t":"caf\u00e9 \/ \ud83d\udc4d"}"#;

#[tokio::test]
async fn a_signed_webhook_is_stored_byte_for_byte_and_published() {
    let ingest = Harness::start().await;
    let mut hints = ingest.broker.consume(Queue::Events, 1).await;

    let response = ingest.post(APP, BODY, Some(&sign(BODY))).await;
    assert_eq!(response.status(), 200);

    let rows = ingest
        .database
        .rows("SELECT id, encode(body, 'hex') AS body, headers FROM events")
        .await;
    assert_eq!(rows.len(), 1);
    let sealed = hex::decode(rows[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        ingest
            .platform()
            .await
            .open_event_body(&sealed)
            .unwrap()
            .as_slice(),
        BODY.as_bytes()
    );
    assert!(
        !sealed.windows(4).any(|part| part == b"caf\\"),
        "the body must not lie in the database as it came"
    );
    let headers = rows[0]["headers"].to_string();
    assert!(
        headers.contains("x-hub-signature-256") && !headers.contains("authorization"),
        "{headers}"
    );

    let hint = contracts::WorkBatch::decode(&hints.next().await.unwrap().body).unwrap();
    let work = ingest
        .database
        .rows("SELECT id, subject, state FROM work")
        .await;
    let event: EventId = EventId::from_uuid(rows[0]["id"].as_str().unwrap().parse().unwrap());
    assert_eq!(
        work[0]["subject"].as_str().unwrap(),
        event.as_uuid().to_string()
    );
    assert_eq!(work[0]["state"], "released");
    let named: Vec<WorkId> = hint.items.iter().map(|item| item.id).collect();
    assert_eq!(
        named,
        [WorkId::from_uuid(
            work[0]["id"].as_str().unwrap().parse().unwrap()
        )]
    );
}

#[tokio::test]
async fn a_wrong_or_missing_signature_is_refused_and_nothing_is_stored_or_echoed() {
    let ingest = Harness::start().await;
    let reserialised =
        "{\"object\":\"whatsapp_business_account\",\"entry\":[],\"t\":\"café / 👍\"}";
    for (body, signature) in [
        (BODY, None),
        (BODY, Some("sha256=00".to_owned())),
        (BODY, Some(sign("another body"))),
        (reserialised, Some(sign(BODY))),
    ] {
        let response = ingest.post(APP, body, signature.as_deref()).await;
        assert_eq!(response.status(), 401);
        let answer = response.text().await.unwrap();
        assert!(
            !answer.contains("caf") && !answer.contains("sha256"),
            "{answer}"
        );
    }
    assert!(
        ingest
            .database
            .rows("SELECT id FROM events")
            .await
            .is_empty()
    );
    assert!(ingest.database.rows("SELECT id FROM work").await.is_empty());
}

#[tokio::test]
async fn an_unknown_app_is_not_found_even_with_a_good_signature() {
    let ingest = Harness::start().await;
    assert_eq!(
        ingest.post("other", BODY, Some(&sign(BODY))).await.status(),
        404
    );
}

#[tokio::test]
async fn a_webhook_larger_than_three_mebibytes_is_refused_and_one_just_as_large_is_taken() {
    let ingest = Harness::start().await;
    let most = "x".repeat(3 * 1024 * 1024);
    assert_eq!(
        ingest.post(APP, &most, Some(&sign(&most))).await.status(),
        200
    );
    let more = format!("{most}x");
    assert_eq!(
        ingest.post(APP, &more, Some(&sign(&more))).await.status(),
        413
    );
    assert_eq!(ingest.database.rows("SELECT id FROM events").await.len(), 1);
}

#[tokio::test]
async fn the_challenge_is_answered_to_whoever_knows_the_verify_token() {
    let ingest = Harness::start().await;
    let ask = |token: &str| {
        let url = format!(
            "{}/webhooks/meta/{APP}?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}",
            ingest.url
        );
        ingest.http.get(url).send()
    };
    let right = ask(VERIFY_TOKEN).await.unwrap();
    assert_eq!(right.status(), 200);
    assert_eq!(right.text().await.unwrap(), "1158201444");
    assert_eq!(ask("guess").await.unwrap().status(), 403);
}

#[tokio::test]
async fn many_webhooks_at_once_are_all_stored() {
    let ingest = Harness::start().await;
    let bodies: Vec<String> = (0..200).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    let posts = bodies.iter().map(|body| {
        let signature = sign(body);
        let ingest = &ingest;
        async move { ingest.post(APP, body, Some(&signature)).await.status() }
    });
    let statuses = futures::future::join_all(posts).await;
    assert!(statuses.iter().all(|status| *status == 200));
    assert_eq!(
        ingest.database.rows("SELECT id FROM events").await.len(),
        200
    );
    assert_eq!(ingest.database.rows("SELECT id FROM work").await.len(), 200);
    // Fewer transactions than webhooks: a crowd shares commits.
    let transactions = ingest
        .database
        .rows("SELECT count(DISTINCT xmin::text) AS n FROM events")
        .await;
    assert!(
        transactions[0]["n"].as_i64().unwrap() < 200,
        "{transactions:?}"
    );
}

#[tokio::test]
async fn without_the_database_the_answer_is_503_and_it_works_again_afterwards() {
    let ingest = Harness::start().await;
    assert_eq!(
        ingest.post(APP, BODY, Some(&sign(BODY))).await.status(),
        200
    );
    ingest.proxy.cut().await;
    let refused = ingest.post(APP, BODY, Some(&sign(BODY))).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    ingest.proxy.heal().await;
    eventually(Duration::from_secs(20), async || {
        ingest.post(APP, BODY, Some(&sign(BODY))).await.status() == 200
    })
    .await;
}
