use std::time::Duration;

use callback_worker::Finding;
use dispatch::Claim;
use storage::Database;
use testkit::{
    Receiver,
    receiver::{Answer, Received},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
    time::timeout,
};

use crate::support::{
    LIMIT, Lab, PAYLOAD, Stage, TRACEPARENT, deliver, signature, stage, webhook_id,
};

/// A LIMS, a lab that wants to hear there, and a callback for it.
async fn scene() -> (Stage, Receiver, Lab, Claim) {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/hooks/labwire?k=v")).await;
    let claim = stage.callback(&lab, PAYLOAD).await;
    (stage, lims, lab, claim)
}

fn later(finding: &Finding) -> (Duration, Option<u16>, &str) {
    match finding {
        Finding::Later {
            after,
            failed: true,
            status,
            reason,
        } => (*after, *status, reason),
        other => panic!("expected another attempt, got {other:?}"),
    }
}

/// Within the 20 % by which waits are spread.
#[track_caller]
fn assert_near(after: Duration, seconds: f64) {
    let ratio = after.as_secs_f64() / seconds;
    assert!(
        (0.8..=1.2).contains(&ratio),
        "{after:?} is not near {seconds} s"
    );
}

fn only(requests: &[Received]) -> &Received {
    assert_eq!(requests.len(), 1);
    &requests[0]
}

#[tokio::test]
async fn a_callback_is_posted_as_stored_and_signed() {
    let (stage, lims, lab, claim) = scene().await;

    let effect = deliver(&stage.handler(&[]), &claim).await;

    assert_eq!(effect.finding, Finding::Delivered { status: 200 });
    let requests = lims.requests();
    let request = only(&requests);
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/hooks/labwire?k=v");
    assert_eq!(request.body, PAYLOAD);
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("user-agent"), "Labwire-Callback/1.0");
    assert_eq!(request.header("traceparent"), TRACEPARENT);
    let (id, timestamp) = (webhook_id(&claim), stage.now().timestamp().to_string());
    assert!(id.starts_with("cbd_"), "{id}");
    assert_eq!(request.header("webhook-id"), id);
    assert_eq!(request.header("webhook-timestamp"), timestamp);
    let expected = signature(&lab.secret, &id, &timestamp, PAYLOAD.as_bytes());
    assert_eq!(request.header("webhook-signature"), expected);
}

#[tokio::test]
async fn a_later_attempt_has_the_same_id_and_its_own_timestamp() {
    let (stage, lims, lab, claim) = scene().await;
    let handler = stage.handler(&[]);
    lims.answer_next(Answer::status(500));

    deliver(&handler, &claim).await;
    stage.clock.advance(Duration::from_mins(5));
    deliver(&handler, &claim).await;

    let requests = lims.requests();
    let header = |name| -> Vec<&str> { requests.iter().map(|it| it.header(name)).collect() };
    assert_eq!(header("webhook-id"), vec![webhook_id(&claim); 2]);
    let times: Vec<i64> = header("webhook-timestamp")
        .into_iter()
        .map(|text| text.parse().unwrap())
        .collect();
    assert_eq!(times[1] - times[0], 300);
    for request in &requests {
        let (id, time) = (
            request.header("webhook-id"),
            request.header("webhook-timestamp"),
        );
        let expected = signature(&lab.secret, id, time, &request.body);
        assert_eq!(request.header("webhook-signature"), expected);
    }
}

#[tokio::test]
async fn any_2xx_is_delivered() {
    let (stage, lims, _, claim) = scene().await;
    let handler = stage.handler(&[]);
    for status in [200, 201, 202, 204, 299] {
        lims.answer_next(Answer::status(status));
        let effect = deliver(&handler, &claim).await;
        assert_eq!(effect.finding, Finding::Delivered { status });
    }
}

#[tokio::test]
async fn any_other_answer_is_tried_again_by_the_schedule() {
    let (stage, lims, _, mut claim) = scene().await;
    let handler = stage.handler(&[]);
    for status in [304, 400, 401, 404, 500, 502, 503] {
        lims.answer_next(Answer::status(status));
        let effect = deliver(&handler, &claim).await;
        let (after, answered, reason) = later(&effect.finding);
        assert_near(after, 5.0);
        assert_eq!(answered, Some(status));
        assert_eq!(reason, format!("the endpoint answered {status}"));
    }
    lims.answer_all(Answer::status(500));
    for (failures, seconds) in [(1, 300.0), (2, 1_800.0), (8, 86_400.0)] {
        claim.failures = failures;
        assert_near(later(&deliver(&handler, &claim).await.finding).0, seconds);
    }
}

#[tokio::test]
async fn retries_of_different_callbacks_are_spread() {
    let (stage, lims, lab, claim) = scene().await;
    let handler = stage.handler(&[]);
    lims.answer_all(Answer::status(500));
    let mut waits = vec![later(&deliver(&handler, &claim).await.finding).0];
    for _ in 0..4 {
        let other = stage.callback(&lab, PAYLOAD).await;
        waits.push(later(&deliver(&handler, &other).await.finding).0);
    }
    let first = waits[0];
    assert!(waits.iter().any(|wait| *wait != first), "{waits:?}");
    let again = later(&deliver(&handler, &claim).await.finding).0;
    assert_eq!(again, first, "the same claim waits as long");
}

#[tokio::test]
async fn the_last_failure_gives_up() {
    let (stage, lims, _, mut claim) = scene().await;
    lims.answer_all(Answer::status(500));
    claim.failures = 9;
    let effect = deliver(&stage.handler(&[]), &claim).await;
    let reason = "given up after 10 attempts: the endpoint answered 500".to_owned();
    let status = Some(500);
    assert_eq!(effect.finding, Finding::GivenUp { status, reason });
}

#[tokio::test]
async fn gone_gives_up_at_once() {
    let (stage, lims, _, claim) = scene().await;
    lims.answer_next(Answer::status(410));
    let effect = deliver(&stage.handler(&[]), &claim).await;
    let reason = "the endpoint answered 410".to_owned();
    let status = Some(410);
    assert_eq!(effect.finding, Finding::GivenUp { status, reason });
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let (stage, lims, _, claim) = scene().await;
    for status in [301, 302, 307, 308] {
        lims.answer_next(Answer::status(status).header("location", "/elsewhere"));
        let effect = deliver(&stage.handler(&[]), &claim).await;
        assert_eq!(later(&effect.finding).1, Some(status));
    }
    let paths: Vec<String> = lims.requests().into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["/hooks/labwire?k=v"; 4]);
}

#[tokio::test]
async fn an_endpoint_that_asks_for_time_gets_it_within_bounds() {
    let (stage, lims, _, claim) = scene().await;
    let handler = stage.handler(&[]);
    for (status, wish, seconds) in [
        (429, "100", 100.0),
        (503, "100", 100.0),
        (429, "999999999", 86_400.0),
        // Sooner than by the schedule, or not to be understood, or not theirs to ask.
        (429, "1", 5.0),
        (429, "Wed, 21 Oct 2015 07:28:00 GMT", 5.0),
        (429, "soon", 5.0),
        (429, "-100", 5.0),
        (500, "100", 5.0),
    ] {
        lims.answer_next(Answer::status(status).header("retry-after", wish));
        let effect = deliver(&handler, &claim).await;
        assert_near(later(&effect.finding).0, seconds);
    }
}

#[tokio::test]
async fn an_endpoint_may_name_the_hour_of_its_return() {
    let (stage, lims, _, claim) = scene().await;
    let at = stage.now() + Duration::from_mins(10);
    let date: &'static str = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string().leak();
    lims.answer_next(Answer::status(503).header("retry-after", date));
    let effect = deliver(&stage.handler(&[]), &claim).await;
    assert_near(later(&effect.finding).0, 600.0);
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_tried_again() {
    let (stage, lims, _, claim) = scene().await;
    lims.answer_next(Answer::Never);
    let effect = deliver(&stage.handler(&[("TIMEOUT", "200ms")]), &claim).await;
    let (after, status, reason) = later(&effect.finding);
    assert_near(after, 5.0);
    assert_eq!(status, None);
    assert_eq!(reason, "the endpoint did not answer in time");
    lims.wait_for(1, LIMIT).await;
}

/// Says 200 to everybody, promises a body, and keeps silent.
async fn half_an_answer() -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // An answer to a request that was not made yet would be refused.
            stream.read_u8().await.unwrap();
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
            stream.write_all(head).await.unwrap();
            open.push(stream);
        }
    });
    (url, server)
}

#[tokio::test]
async fn a_body_that_never_ends_does_not_make_a_delivery_fail_or_wait() {
    let (stage, (url, _server)) = (stage().await, half_an_answer().await);
    let lab = stage.lab(&url).await;
    let claim = stage.callback(&lab, PAYLOAD).await;
    let handler = stage.handler(&[("TIMEOUT", "60s")]);
    let effect = timeout(LIMIT, deliver(&handler, &claim)).await.unwrap();
    assert_eq!(effect.finding, Finding::Delivered { status: 200 });
}

#[tokio::test]
async fn what_was_delivered_or_is_gone_is_not_posted() {
    let (stage, lims, lab, claim) = scene().await;
    let handler = stage.handler(&[]);
    let given_up = |reason: &str| Finding::GivenUp {
        status: None,
        reason: reason.to_owned(),
    };

    let removed = stage.callback(&lab, PAYLOAD).await;
    let disable = "UPDATE callback_endpoints SET disabled_at = now()";
    stage.test.execute(disable).await;
    let finding = deliver(&handler, &removed).await.finding;
    assert_eq!(finding, given_up("the endpoint was removed"));

    let mark = "UPDATE callback_deliveries SET delivered_at = now()";
    stage.test.execute(mark).await;
    let finding = deliver(&handler, &claim).await.finding;
    assert_eq!(finding, Finding::AlreadyDelivered);

    stage.test.execute("DELETE FROM callback_deliveries").await;
    let finding = deliver(&handler, &claim).await.finding;
    assert_eq!(finding, given_up("the callback is no longer stored"));

    assert_eq!(lims.requests().len(), 0);
}

#[tokio::test]
async fn a_database_that_is_away_costs_no_attempt() {
    let (stage, lims, _, claim) = scene().await;
    let nowhere = "postgres://labwire_worker@127.0.0.1:1/nowhere";
    let away = Database::connect(nowhere, 1, Duration::from_millis(100)).unwrap();
    let config = crate::support::config(&[]);
    let dns = std::sync::Arc::new(callback_worker::SystemDns);
    let effect = deliver(&stage.handler_with(&config, dns, away), &claim).await;
    let Finding::Later { failed, status, .. } = effect.finding else {
        panic!("expected another attempt, got {:?}", effect.finding);
    };
    assert_eq!((failed, status), (false, None));
    assert_eq!(lims.requests().len(), 0);
}

#[tokio::test]
async fn a_secret_that_cannot_be_opened_is_tried_again_and_not_for_ever() {
    let (stage, lims, _, mut claim) = scene().await;
    let handler = stage.handler(&[]);
    let spoil = "UPDATE callback_endpoints SET secret = '\\x00'";
    stage.test.execute(spoil).await;
    assert_near(later(&deliver(&handler, &claim).await.finding).0, 5.0);
    claim.failures = 9;
    let finding = deliver(&handler, &claim).await.finding;
    assert!(matches!(finding, Finding::GivenUp { .. }), "{finding:?}");
    assert_eq!(lims.requests().len(), 0);
}
