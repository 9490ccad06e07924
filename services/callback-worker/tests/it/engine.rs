use std::time::Duration;

use dispatch::{Engine, Settings, publish_hints};
use domain::WorkKind;
use queue::Broker;
use serde_json::json;
use testkit::{Receiver, eventually, receiver::Answer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{LIMIT, Stage, deliver, stage, webhook_id};

const LEASE: Duration = Duration::from_mins(1);

/// A running engine; stops when dropped.
struct Running {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    fn start(stage: &Stage, broker: &Broker, pairs: &[(&str, &str)]) -> Self {
        let settings = Settings {
            claim_lease: LEASE,
            poll: Duration::from_millis(20),
            // One hint at a time: the next comes when this one is dealt with.
            prefetch: 1,
            hint_size: 1,
            ..Settings::default()
        };
        Self::with(stage, broker, pairs, settings)
    }

    fn with(stage: &Stage, broker: &Broker, pairs: &[(&str, &str)], settings: Settings) -> Self {
        let engine = Engine::new(stage.handler(pairs), stage.deps(broker), settings);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(engine.run(stop.clone(), CancellationToken::new(), || {}));
        Self { stop, tasks }
    }

    async fn finish(mut self) {
        self.stop.cancel();
        while let Some(result) = self.tasks.join_next().await {
            result.unwrap();
        }
    }
}

async fn until_settled(stage: &Stage) {
    eventually(LIMIT, async || {
        stage.test.rows("SELECT * FROM work").await.is_empty()
    })
    .await;
}

/// Moves time to the next attempt once the last one is recorded.
async fn until_waiting(stage: &Stage, failures: i32) {
    let query = format!("SELECT id FROM work WHERE state = 'waiting' AND failures = {failures}");
    eventually(LIMIT, async || stage.test.rows(&query).await.len() == 1).await;
}

#[tokio::test]
async fn a_failed_callback_comes_again_under_the_same_id() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    let claim = stage.enqueue(&lab, None).await;
    lims.answer_next(Answer::status(500));
    let engine = Running::start(&stage, &Broker::in_process(), &[]);

    until_waiting(&stage, 1).await;
    stage.clock.advance(Duration::from_secs(3));
    assert_eq!(lims.requests().len(), 1);
    stage.clock.advance(Duration::from_secs(4));
    until_settled(&stage).await;

    let ids: Vec<String> = lims
        .requests()
        .iter()
        .map(|it| it.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids, vec![webhook_id(&claim); 2]);
    let query =
        "SELECT attempts, last_status FROM callback_deliveries WHERE delivered_at IS NOT NULL";
    assert_eq!(
        stage.row(query).await,
        json!({ "attempts": 2, "last_status": 200 })
    );
    engine.finish().await;
}

#[tokio::test]
async fn a_callback_that_always_fails_becomes_a_dead_letter() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    let claim = stage.enqueue(&lab, None).await;
    lims.answer_all(Answer::status(503));
    let engine = Running::start(&stage, &Broker::in_process(), &[("SCHEDULE", "10s,10s")]);

    for failures in 1..=2 {
        until_waiting(&stage, failures).await;
        stage.clock.advance(Duration::from_secs(13));
    }
    until_settled(&stage).await;

    assert_eq!(lims.requests().len(), 3);
    let query = "SELECT id, kind, reason FROM dead_letters";
    assert_eq!(
        stage.row(query).await,
        json!({
            "id": claim.id.as_uuid(), "kind": "callback",
            "reason": "given up after 3 attempts: the endpoint answered 503",
        })
    );
    engine.finish().await;
}

#[tokio::test]
async fn a_callback_to_an_endpoint_that_is_gone_becomes_a_dead_letter_at_once() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    stage.enqueue(&lab, None).await;
    lims.answer_all(Answer::status(410));
    let engine = Running::start(&stage, &Broker::in_process(), &[]);

    until_settled(&stage).await;

    assert_eq!(lims.requests().len(), 1);
    let query = "SELECT reason FROM dead_letters";
    assert_eq!(
        stage.row(query).await,
        json!({ "reason": "the endpoint answered 410" })
    );
    engine.finish().await;
}

#[tokio::test]
async fn a_hint_that_comes_twice_delivers_once() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    let lease = Some(stage.now() + LEASE);
    let (first, last) = (
        stage.enqueue(&lab, lease).await,
        stage.enqueue(&lab, lease).await,
    );
    let broker = Broker::in_process();
    let hints = [(first.id, 0), (first.id, 0), (first.id, 0), (last.id, 0)];
    let refused = publish_hints(&broker, WorkKind::Callback, &hints, 1).await;
    assert_eq!(refused, []);

    let engine = Running::start(&stage, &broker, &[]);
    until_settled(&stage).await;

    let ids: Vec<String> = lims
        .requests()
        .iter()
        .map(|it| it.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids, [webhook_id(&first), webhook_id(&last)]);
    engine.finish().await;
}

#[tokio::test]
async fn a_callback_whose_worker_was_lost_comes_again_under_the_same_id() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    let claim = stage.enqueue(&lab, None).await;
    // A worker that posts and dies before it records.
    let lease = stage.now() + LEASE;
    let take = format!("UPDATE work SET state = 'claimed', attempt = 1, lease_until = '{lease}'");
    stage.test.execute(&take).await;
    deliver(&stage.handler(&[]), &claim).await;
    assert_eq!(lims.requests().len(), 1);

    stage.clock.advance(LEASE);
    let engine = Running::start(&stage, &Broker::in_process(), &[]);
    until_waiting(&stage, 0).await;
    stage.clock.advance(Duration::from_secs(1));
    until_settled(&stage).await;

    let requests = lims.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!(request.header("webhook-id"), webhook_id(&claim));
    }
    let query = "SELECT delivered_at IS NOT NULL AS delivered FROM callback_deliveries";
    assert_eq!(stage.row(query).await, json!({ "delivered": true }));
    engine.finish().await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_holds_its_window_and_nobody_else() {
    let (stage, slow, quick) = (
        stage().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    slow.answer_all(Answer::Never);
    let slow_lab = stage.lab(&slow.url("/")).await;
    for _ in 0..6 {
        stage.enqueue(&slow_lab, None).await;
    }
    let settings = Settings {
        poll: Duration::from_millis(20),
        ..Settings::default()
    };
    let pairs = [("WINDOW", "2"), ("TIMEOUT", "60s")];
    let engine = Running::with(&stage, &Broker::in_process(), &pairs, settings);
    slow.wait_for(2, LIMIT).await;

    let quick_lab = stage.lab(&quick.url("/")).await;
    for _ in 0..6 {
        stage.enqueue(&quick_lab, None).await;
    }
    quick.wait_for(6, LIMIT).await;

    assert_eq!(slow.requests().len(), 2);
    drop(engine);
}
