//! The broker only hints: what it loses, repeats or refuses changes nothing but the time.

use std::time::Duration;

use dispatch::{Outcome, Settings, publish_hints};
use domain::{Clock as _, WorkId, WorkKind};
use queue::{Broker, MAX_LENGTH, Message, Queue};
use storage::work::insert;
use testkit::eventually;

use crate::{
    script::{Plan, Script, unlimited},
    stage::{LIMIT, Running, any_flow, settings, stage},
};

#[tokio::test]
async fn work_whose_hint_was_never_published_is_released_when_its_lease_is_over() {
    let stage = stage().await;
    let script = Script::new();
    let engine = stage.engine(&script);
    let work = stage.new_work(any_flow());
    let mut tx = stage.begin().await;
    let lease = stage.clock.now() + Duration::from_secs(5);
    insert(&mut tx, std::slice::from_ref(&work), Some(lease))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    engine.look().await;
    assert_eq!(script.acts().len(), 0);
    stage.clock.advance(Duration::from_secs(5));
    stage.until_empty().await;
    assert_eq!(script.acts().len(), 1);
    engine.stop().await;
}

#[tokio::test]
async fn a_wiped_broker_delays_work_by_a_lease_and_loses_none() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::AtGate(Outcome::Done));
    let mut narrow = settings();
    (narrow.keeps, narrow.prefetch, narrow.hint_size) = (0, 1, 1);
    let first = stage.add(any_flow(), 1).await[0];
    let engine = Running::start(&script, stage.deps(), narrow);
    eventually(LIMIT, async || script.acting() == 1).await;
    // The engine's consumer has its hands full, so that the others' hints lie in the queue, and are wiped there.
    let others = stage.add(any_flow(), 20).await;
    stage.until_count("work where state = 'released'", 20).await;
    let mut thief = stage.broker.consume(Queue::Outbound, 100).await;
    for _ in 0..20 {
        let hint = tokio::time::timeout(LIMIT, thief.next())
            .await
            .unwrap()
            .unwrap();
        hint.ack().await.unwrap();
    }
    thief.cancel().await;
    script.open_gate();
    stage.until_count("work", 20).await;
    engine.look().await;
    assert_eq!(script.acts().len(), 1);

    stage.clock.advance(narrow.release_lease);
    stage.until_empty().await;
    for id in others.into_iter().chain([first]) {
        assert_eq!(script.acts_on(id), 1);
    }
    engine.stop().await;
}

#[tokio::test]
async fn a_stale_or_repeated_hint_claims_nothing() {
    let stage = stage().await;
    let script = Script::of(|claim| {
        Plan::Finish(if claim.lane == domain::Lane::Bulk {
            Outcome::Retry {
                after: Duration::from_mins(1),
                failed: true,
                reason: "later".to_owned(),
            }
        } else {
            Outcome::Done
        })
    });
    let done = stage.add(any_flow(), 1).await[0];
    let mut waiting = stage.new_work(any_flow());
    waiting.lane = domain::Lane::Bulk;
    stage.insert(std::slice::from_ref(&waiting)).await;
    let engine = stage.engine(&script);
    stage
        .until_count("work where state = 'waiting' and attempt = 1", 1)
        .await;
    stage.until_count("work", 1).await;
    let unknown = WorkId::new_at(stage.clock.now());
    let hints = [(done, 0), (waiting.id, 0), (waiting.id, 1), (unknown, 0)];
    for _ in 0..5 {
        let failed = publish_hints(&stage.broker, WorkKind::Send, &hints, 8).await;
        assert_eq!(failed, []);
    }
    // Whatever comes after them is done all the same.
    stage.add(any_flow(), 1).await;
    stage.until_count("work", 1).await;
    eventually(LIMIT, async || {
        stage.broker.depth(Queue::Outbound).await == Some(0)
    })
    .await;
    assert_eq!(
        (
            script.acts_on(done),
            script.acts_on(waiting.id),
            script.acts().len()
        ),
        (1, 1, 3)
    );
    engine.stop().await;
}

#[tokio::test]
async fn a_hint_that_nobody_can_read_goes_to_the_dead_letters() {
    let stage = stage().await;
    let script = Script::new();
    let engine = stage.engine(&script);
    let message = |body: &'static str| Message {
        body: body.into(),
        traceparent: None,
    };
    let other_kind = r#"{"v":1,"kind":"event","items":[]}"#;
    let bodies = ["", "{", r#"{"v":99,"news":true}"#, other_kind].map(message);
    stage.broker.publish(Queue::Outbound, bodies.to_vec()).await;
    eventually(LIMIT, async || {
        stage.broker.dead_letters(Queue::Outbound).await == Some(4)
    })
    .await;
    stage.add(any_flow(), 1).await;
    stage.until_empty().await;
    engine.stop().await;
}

#[tokio::test]
async fn without_a_broker_each_flow_gets_its_part_of_what_has_room_and_the_rest_waits() {
    let mut stage = stage().await;
    let script = Script::of(|_| Plan::AtGate(Outcome::Done));
    let flows = [any_flow(), any_flow()];
    for flow in flows {
        stage.add(flow, 5).await;
    }
    stage.broker.close().await;
    let mut narrow = settings();
    narrow.keeps = 6;
    let engine = Running::start(&script, stage.deps(), narrow);
    eventually(LIMIT, async || script.acting() == 6).await;
    engine.look().await;
    for flow in flows {
        let of_flow = format!("work where flow = '{}'", flow.as_uuid());
        let claimed = format!("{of_flow} and state = 'claimed'");
        let waiting = format!("{of_flow} and state = 'waiting' and attempt = 0");
        assert_eq!(
            (stage.count(&claimed).await, stage.count(&waiting).await),
            (3, 2)
        );
    }
    // What ends makes room for the rest.
    script.open_gate();
    stage.until_empty().await;
    assert_eq!(script.acts().len(), 10);
    engine.stop().await;

    let all_by_the_broker = Settings {
        keeps: 0,
        ..settings()
    };
    let ids = stage.add(flows[0], 5).await;
    let engine = Running::start(&script, stage.deps(), all_by_the_broker);
    stage.until_count("partition_owners", 16).await;
    engine.look().await;
    let untouched = "work where state = 'waiting' and attempt = 0";
    assert_eq!(stage.count(untouched).await, 5);
    engine.stop().await;

    stage.broker = Broker::in_process();
    let engine = Running::start(&script, stage.deps(), all_by_the_broker);
    stage.until_empty().await;
    assert!(ids.iter().all(|id| script.acts_on(*id) == 1));
    engine.stop().await;
}

#[tokio::test]
async fn what_has_no_room_goes_by_the_broker_if_there_are_others_and_no_more_than_may_lie_ready() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::AtGate(Outcome::Done));
    script.limit(Some(unlimited(20)));
    let mut narrow = settings();
    (
        narrow.keeps,
        narrow.prefetch,
        narrow.hint_size,
        narrow.lends,
    ) = (3, 1, 1, 5);
    let engine = Running::start(&script, stage.deps(), narrow);
    let flow = stage.another_comes().await;
    stage.add(flow, 20).await;
    // One more came by the broker; the consumer has its hands full with it.
    eventually(LIMIT, async || script.acting() == 4).await;
    // Hands have gathered for long enough.
    stage.clock.advance(Duration::from_millis(50));
    stage.until_count("work where state = 'released'", 5).await;
    engine.look().await;
    assert_eq!(stage.count("work where state = 'claimed'").await, 4);
    assert_eq!(stage.count("work where state = 'released'").await, 5);
    assert_eq!(stage.broker.depth(Queue::Outbound).await, Some(5));
    script.open_gate();
    stage.until_empty().await;
    assert_eq!(script.acts().len(), 20);
    engine.stop().await;
}

#[tokio::test]
async fn who_is_alone_lends_nothing_and_every_flow_has_its_turn() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::AtGate(Outcome::Done));
    let mut narrow = settings();
    narrow.keeps = 3;
    let flows: Vec<_> = (0..40).map(|_| any_flow()).collect();
    for flow in &flows {
        stage.add(*flow, 2).await;
    }
    let engine = Running::start(&script, stage.deps(), narrow);
    eventually(LIMIT, async || script.acting() == 3).await;
    engine.look().await;
    let untouched = "work where state = 'waiting' and attempt = 0";
    assert_eq!(stage.count(untouched).await, 77);
    assert_eq!(stage.broker.depth(Queue::Outbound).await, Some(0));
    script.open_gate();
    stage.until_empty().await;
    assert_eq!(script.acts().len(), 80);
    engine.stop().await;
}

#[tokio::test]
async fn what_the_broker_refuses_waits_and_says_for_what() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::AtGate(Outcome::Done));
    script.limit(Some(unlimited(10)));
    let mut narrow = settings();
    (narrow.keeps, narrow.prefetch, narrow.hint_size) = (0, 1, 1);
    stage.add(any_flow(), 1).await;
    let engine = Running::start(&script, stage.deps(), narrow);
    eventually(LIMIT, async || script.acting() == 1).await;
    // With the engine's consumer busy, the queue stays full.
    let junk = Message {
        body: "junk".into(),
        traceparent: None,
    };
    stage
        .broker
        .publish(Queue::Outbound, vec![junk; MAX_LENGTH as usize])
        .await;
    let id = stage.add(any_flow(), 1).await[0];
    stage
        .until_count(
            "work where state = 'waiting' and reason = 'waiting for the message broker'",
            1,
        )
        .await;
    assert_eq!(script.acts_on(id), 0);
    script.open_gate();
    stage.until_empty().await;
    assert_eq!(script.acts_on(id), 1);
    engine.stop().await;
}
