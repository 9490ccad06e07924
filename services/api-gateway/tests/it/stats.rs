use domain::{Clock as _, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{App, Lab, body_of, report};

async fn stats(app: &App, lab: &Lab) -> Value {
    let path = format!("/api/labs/{}/stats", lab.id);
    let answer = app.get(&lab.key, &path).send().await.unwrap();
    body_of(answer, StatusCode::OK).await
}

#[tokio::test]
async fn stats_count_messages_and_rate_those_that_are_settled() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let none = json!({ "total_messages": 0, "messages_this_month": 0, "success_rate": null, "last_message_sent": null });
    assert_eq!(stats(&app, &lab).await, none);

    let at = SystemClock.now();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(app.accepted(&lab, &report()).await);
    }
    for id in &ids[..2] {
        app.update(*id, |row| {
            row.delivery.sent_at = Some(at);
            row.delivery.read_at = Some(at);
        })
        .await;
    }
    app.update(ids[2], |row| row.delivery.failed_at = Some(at))
        .await;
    let found = stats(&app, &lab).await;
    let expected = json!({ "total_messages": 4, "messages_this_month": 4, "success_rate": 66.7, "last_message_sent": at });
    assert_eq!(found, expected);
}
