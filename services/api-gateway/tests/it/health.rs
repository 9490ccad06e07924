use std::fs;

use reqwest::StatusCode;
use serde_json::json;
use testkit::eventually;

use crate::support::{App, LIMIT, body_of, problem, report};

#[tokio::test]
async fn a_healthy_gateway_says_so_without_numbers() {
    let app = App::start().await;
    app.lab("1001").await;
    let answer = app.client.get(app.url("/health")).send().await.unwrap();
    let mut health = body_of(answer, StatusCode::OK).await;
    health["timestamp"] = json!("..");
    insta::assert_json_snapshot!("healthy", health);
    assert_eq!(app.files(), 0, "the probe stays");
}

#[tokio::test]
async fn without_file_storage_reports_are_refused_for_now_and_health_says_why() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    // A file where the folder should be: nothing can be stored below it.
    fs::remove_dir_all(app.folder.path()).unwrap();
    fs::write(app.folder.path(), "in the way").unwrap();

    let answer = app.send(&lab, &report()).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    insta::assert_json_snapshot!("service_unavailable", problem(answer).await);
    assert_eq!(app.count("messages").await, 0);

    let answer = app.client.get(app.url("/health")).send().await.unwrap();
    let health = body_of(answer, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(health["status"], "unhealthy");
    assert_eq!(
        health["services"],
        json!({ "database": "healthy", "file_storage": "unhealthy" })
    );

    fs::remove_file(app.folder.path()).unwrap();
    fs::create_dir(app.folder.path()).unwrap();
    app.accepted(&lab, &report()).await;
    eventually(LIMIT, async || {
        let answer = app.client.get(app.url("/health")).send().await.unwrap();
        answer.status() == StatusCode::OK
    })
    .await;
}
