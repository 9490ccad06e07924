use std::time::Duration;

use testkit::{Receiver, receiver::Answer};

const LIMIT: Duration = Duration::from_secs(10);

async fn post(url: String) -> reqwest::Result<reqwest::Response> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    client
        .post(url)
        .header("webhook-id", "m1")
        .body(r#"{"a":1}"#)
        .send()
        .await
}

#[tokio::test]
async fn a_request_is_recorded_as_it_came() {
    let receiver = Receiver::start().await;
    assert_eq!(
        post(receiver.url("/callback?x=1")).await.unwrap().status(),
        200
    );
    let [request] = &receiver.wait_for(1, LIMIT).await[..] else {
        panic!("one request")
    };
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/callback?x=1")
    );
    assert_eq!(
        (request.header("webhook-id"), request.header("absent")),
        ("m1", "")
    );
    assert_eq!(request.json()["a"], 1);
}

#[tokio::test]
async fn queued_answers_come_first_and_in_order() {
    let receiver = Receiver::start().await;
    receiver.answer_all(Answer::status(204));
    receiver.answer_next(Answer::status(503).header("retry-after", "7").body("busy"));
    receiver.answer_next(Answer::status(410));
    let first = post(receiver.url("/")).await.unwrap();
    assert_eq!(
        (
            first.status().as_u16(),
            first.headers()["retry-after"].to_str().unwrap()
        ),
        (503, "7")
    );
    assert_eq!(first.text().await.unwrap(), "busy");
    assert_eq!(post(receiver.url("/")).await.unwrap().status(), 410);
    assert_eq!(post(receiver.url("/")).await.unwrap().status(), 204);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_a_timeout_for_the_client() {
    let receiver = Receiver::start().await;
    receiver.answer_next(Answer::Never);
    assert!(post(receiver.url("/")).await.unwrap_err().is_timeout());
    assert_eq!(receiver.requests().len(), 1);
}
