use domain::{ReportedStatus, StatusReport};
use serde_json::json;
use storage::inbound::{insert_unmatched, lock_wamids};

use crate::{
    graph::{Graph, accepted},
    support::stage,
};

#[tokio::test]
async fn a_status_that_came_before_the_send_was_recorded_is_joined() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_send(accepted("wamid.early"));
    let (_, id) = stage.text().await;
    let report = StatusReport {
        status: ReportedStatus::Delivered,
        at: stage.now(),
        cause: None,
    };
    let wamids = ["wamid.early".to_owned(), "wamid.other".to_owned()];
    let mut tx = stage.worker.begin().await.unwrap();
    lock_wamids(&mut tx, &wamids).await.unwrap();
    let reports = wamids.map(|wamid| (wamid, report.clone()));
    insert_unmatched(&mut tx, &reports, stage.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_state(id, "delivered").await;
    engine.finish().await;

    assert_eq!(row["wamid"], "wamid.early");
    let status = json!(["status", { "status": "delivered", "code": null }]);
    assert!(stage.timeline(id).await.contains(&status));
    let left = stage
        .test
        .rows("SELECT wamid FROM unmatched_statuses")
        .await;
    assert_eq!(left, [json!({ "wamid": "wamid.other" })]);
}
