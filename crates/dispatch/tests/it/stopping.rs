use std::time::Duration;

use dispatch::Outcome;
use domain::WorkKind;
use storage::{Database, work::yield_partitions};
use testkit::eventually;

use crate::{
    script::{Plan, Script, unlimited},
    stage::{LIMIT, any_flow, stage},
};

#[tokio::test]
async fn an_engine_that_stops_finishes_what_it_claimed_and_leaves_the_rest() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::AtGateThenBegin(Outcome::Done));
    script.limit(Some(unlimited(5)));
    stage.add(any_flow(), 20).await;
    let mut engine = stage.engine(&script);
    eventually(LIMIT, async || script.acting() == 5).await;
    engine.stop.cancel();
    // Others may go on at once.
    stage.until_count("partition_owners", 0).await;
    stage.until_count("replicas", 0).await;
    assert!(!engine.is_over());
    assert_eq!(script.acting(), 5);
    script.open_gate();
    engine.ended().await;
    assert_eq!(stage.count("work").await, 15);
    assert_eq!(stage.count("work where state = 'claimed'").await, 0);
    assert!(script.acts().iter().all(|act| act.begun == Some(true)));
    assert_eq!(script.acts().len(), 5);

    let successor = stage.engine(&script);
    stage.clock.advance(Duration::from_secs(5));
    stage.until_empty().await;
    assert_eq!(script.acts().len(), 20);
    successor.stop().await;
}

/// Its consumer has nothing to do when it is told to stop, and is there for what comes yet.
#[tokio::test]
async fn what_a_releaser_was_about_to_keep_when_it_was_told_to_stop_is_done() {
    let stage = stage().await;
    let script = Script::new();
    let mut engine = stage.engine(&script);
    stage.until_count("partition_owners", 16).await;
    let owner = "select distinct owner_id as id from partition_owners";
    let owner = stage.test.rows(owner).await[0]["id"]
        .as_str()
        .unwrap()
        .parse();
    // Until this is taken back, nobody knows whether it owns them, and nothing is claimed.
    let mut tx = stage.begin().await;
    yield_partitions(&mut tx, WorkKind::Send, owner.unwrap())
        .await
        .unwrap();
    stage.add(any_flow(), 3).await;
    eventually(LIMIT, async || stage.test.count_blocked().await == 1).await;
    engine.stop.cancel();
    tx.rollback().await.unwrap();
    engine.ended().await;
    assert_eq!((stage.count("work").await, script.acts().len()), (0, 3));
}

#[tokio::test]
async fn an_idle_engine_stops_at_once() {
    let stage = stage().await;
    let engine = stage.engine(&Script::new());
    stage.until_count("partition_owners", 16).await;
    engine.stop().await;
    assert_eq!(stage.count("partition_owners").await, 0);
}

#[tokio::test]
async fn who_must_go_does_not_wait_for_handlers_that_hang() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::BeginThenGate(Outcome::Done));
    stage.add(any_flow(), 3).await;
    let mut engine = stage.engine(&script);
    eventually(LIMIT, async || script.acting() == 3).await;
    engine.stop.cancel();
    engine.give_up.cancel();
    engine.ended().await;
    // Their leases will tell.
    assert_eq!(stage.count("work where state = 'claimed'").await, 3);
}

#[tokio::test]
async fn an_engine_can_be_stopped_while_the_database_is_away() {
    let mut stage = stage().await;
    let nowhere = "postgres://labwire_worker@127.0.0.1:1/nowhere";
    stage.database = Database::connect(nowhere, 4, Duration::from_millis(200)).unwrap();
    let mut engine = stage.engine(&Script::new());
    engine.look().await;
    engine.stop.cancel();
    engine.give_up.cancel();
    engine.ended().await;
}
