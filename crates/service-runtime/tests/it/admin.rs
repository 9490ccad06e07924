use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use service_runtime::{Lifecycle, admin, telemetry};
use tower::ServiceExt as _;

const DEADLINE: Duration = Duration::from_secs(10);

async fn get(lifecycle: &Lifecycle, path: &str) -> (StatusCode, String) {
    let router = admin::router(lifecycle.clone(), telemetry::metrics());
    let response = router
        .oneshot(Request::get(path).body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn readiness_waits_for_every_named_part() {
    let lifecycle = Lifecycle::for_tests();
    assert_eq!(get(&lifecycle, "/ready").await.1, "not ready: starting\n");

    let (database, broker) = (lifecycle.ready("database"), lifecycle.ready("broker"));
    database.set();
    let (status, body) = get(&lifecycle, "/ready").await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: broker\n")
    );

    broker.set();
    lifecycle.until_ready().await;
    assert_eq!(
        get(&lifecycle, "/ready").await,
        (StatusCode::OK, "ok\n".to_owned())
    );

    database.unset();
    assert_eq!(get(&lifecycle, "/ready").await.1, "not ready: database\n");
}

#[tokio::test]
async fn a_draining_process_is_alive_but_not_ready() {
    let lifecycle = Lifecycle::for_tests();
    lifecycle.ready("database").set();
    lifecycle.stop();

    assert_eq!(get(&lifecycle, "/ready").await.1, "not ready: draining\n");
    assert_eq!(get(&lifecycle, "/live").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_misses_its_deadline_is_named() {
    let lifecycle = Lifecycle::for_tests();
    let (releaser, consumer) = (
        lifecycle.heartbeat("releaser", DEADLINE),
        lifecycle.heartbeat("consumer", DEADLINE),
    );

    tokio::time::advance(DEADLINE).await;
    releaser.beat();
    assert_eq!(get(&lifecycle, "/live").await.0, StatusCode::OK);

    tokio::time::advance(Duration::from_millis(1)).await;
    let (status, body) = get(&lifecycle, "/live").await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "stuck: consumer\n")
    );

    drop(consumer);
    assert_eq!(get(&lifecycle, "/live").await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_rendered_with_buckets_for_durations() {
    telemetry::metrics();
    metrics::counter!("labwire_admin_test_total").increment(2);
    metrics::histogram!("labwire_admin_test_seconds").record(0.003);

    let (_, page) = get(&Lifecycle::for_tests(), "/metrics").await;

    assert!(page.contains("labwire_admin_test_total 2"), "{page}");
    assert!(
        page.contains("labwire_admin_test_seconds_bucket{le=\"0.005\"} 1"),
        "{page}"
    );
}
