use reqwest::StatusCode;
use serde_json::json;

use crate::support::{App, body_of, problem, report};

#[tokio::test]
async fn a_lab_sees_and_changes_nothing_of_another() {
    let app = App::start().await;
    let (mine, theirs) = (app.lab("1001").await, app.lab("1002").await);
    let message = app.accepted(&theirs, &report()).await;
    let unknown = "lab_00000000000070008000000000000000";

    let nothing = problem(app.get(&mine.key, "/no/such/path").send().await.unwrap()).await;
    for lab in [theirs.id.as_str(), unknown, "lab_nonsense"] {
        let requests = [
            app.get(&mine.key, &format!("/api/messages/{lab}/history")),
            app.get(&mine.key, &format!("/api/labs/{lab}/stats")),
            app.put(&mine.key, &format!("/api/labs/{lab}/credential"))
                .json(&json!({ "access_token": "stolen-and-replaced" })),
            app.put(&mine.key, &format!("/api/labs/{lab}/callback"))
                .json(&json!({ "url": "https://mine.example/" })),
        ];
        for request in requests {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
            assert_eq!(problem(answer).await, nothing);
        }
    }
    let path = format!("/api/messages/{message}/status");
    let answer = app.get(&mine.key, &path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let answer = app.get(&theirs.key, &path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);

    for (lab, total) in [(&mine, 0), (&theirs, 1)] {
        let history = app.get(&lab.key, &format!("/api/messages/{}/history", lab.id));
        let history = body_of(history.send().await.unwrap(), StatusCode::OK).await;
        assert_eq!(history["total_count"], total);
        assert_eq!(history["messages"].as_array().unwrap().len(), total);
        let stats = app.get(&lab.key, &format!("/api/labs/{}/stats", lab.id));
        let stats = body_of(stats.send().await.unwrap(), StatusCode::OK).await;
        assert_eq!(stats["total_messages"], total);
    }
    assert_eq!(app.count("callback_endpoints").await, 0);
}
