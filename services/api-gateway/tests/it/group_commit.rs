use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::json;

use crate::support::{App, report_with};

#[tokio::test]
async fn reports_of_many_labs_at_once_are_all_stored_each_under_its_own_lab() {
    let app = App::start().await;
    let labs =
        join_all(["1001", "1002", "1003", "1004", "1005"].map(|number| app.lab(number))).await;
    let sends = (0..100).map(|index| {
        let lab = &labs[index % labs.len()];
        let body =
            report_with(json!({ "test_name": format!("Test {index}"), "report_file": null }));
        let app = &app;
        async move { (lab.tenant(), app.accepted(lab, &body).await) }
    });
    let sent = join_all(sends).await;

    let rows = app
        .database
        .rows("select id, tenant_id from messages")
        .await;
    let stored: BTreeMap<String, String> = rows
        .iter()
        .map(|row| (row["id"].to_string(), row["tenant_id"].to_string()))
        .collect();
    assert_eq!(stored.len(), 100);
    for (lab, message) in sent {
        let id = json!(message.as_uuid()).to_string();
        assert_eq!(stored[&id], json!(lab.as_uuid()).to_string());
    }
    assert_eq!(app.count("work").await, 100);
    let transactions = app
        .database
        .rows("select count(distinct xmin::text) as count from messages")
        .await;
    let transactions = transactions[0]["count"].as_i64().unwrap();
    assert!(
        transactions < 100,
        "each report had a transaction of its own"
    );
}
