use std::time::Duration;

use domain::MessageId;
use sender::expire;
use serde_json::json;
use storage::messages::lock_states;

use crate::{
    graph::{Graph, unreadable},
    support::{Draft, HOUR, Stage, stage},
};

fn short() -> Draft {
    Draft {
        lifetime: HOUR,
        ..Draft::default()
    }
}

async fn expire_now(stage: &Stage) -> i64 {
    expire(&stage.worker, &*stage.clock).await.unwrap()
}

#[tokio::test]
async fn a_message_past_its_lifetime_is_not_sent() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage.window(&lab, 24 * HOUR).await;
    let id = stage.accept(&lab, short()).await;
    stage.clock.advance(HOUR);

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_state(id, "expired").await;
    engine.finish().await;

    assert_eq!(row["attempts"], 0);
    assert!(graph.sends().await.is_empty());
    assert_eq!(stage.work(id).await, None);
    assert_eq!(stage.timeline(id).await[1], json!(["expired", {}]));
}

#[tokio::test]
async fn what_waits_or_is_held_expires_in_its_time() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let waiting = stage.accept(&lab, short()).await;
    let held = stage.accept(&lab, short()).await;
    let later = stage.accept(&lab, Draft::default()).await;
    let hold_it = format!(
        "UPDATE work SET state = 'held', hold_scope = 'template:x' WHERE subject = '{}'",
        held.as_uuid()
    );
    stage.test.execute(&hold_it).await;

    stage.clock.advance(Duration::from_mins(59));
    assert_eq!(expire_now(&stage).await, 0);
    stage.clock.advance(Duration::from_mins(1));
    assert_eq!(expire_now(&stage).await, 2);
    assert_eq!(expire_now(&stage).await, 0);

    for id in [waiting, held] {
        assert_eq!(stage.state(id).await["state"], "expired");
        assert_eq!(stage.work(id).await, None);
    }
    assert_eq!(stage.state(later).await["state"], "queued");
}

#[tokio::test]
async fn what_was_perhaps_sent_does_not_expire() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(unreadable());
    let lab = stage.lab().await;
    stage.window(&lab, 24 * HOUR).await;
    let id = stage.accept(&lab, short()).await;
    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    engine.finish().await;

    stage.clock.advance(2 * HOUR);

    assert_eq!(expire_now(&stage).await, 0);
    assert_eq!(stage.state(id).await["state"], "unconfirmed");
    assert!(stage.work(id).await.is_some());
}

#[tokio::test]
async fn a_message_whose_send_is_just_being_recorded_is_left_alone() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id: MessageId = stage.accept(&lab, short()).await;
    stage.clock.advance(HOUR);
    let mut recording = stage.worker.begin().await.unwrap();
    lock_states(&mut recording, &[id]).await.unwrap();

    assert_eq!(expire_now(&stage).await, 0);

    drop(recording);
    assert_eq!(expire_now(&stage).await, 1);
}
