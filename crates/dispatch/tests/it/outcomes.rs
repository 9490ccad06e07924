use std::time::Duration;

use dispatch::{FlowLimits, Outcome};
use domain::{Backoff, Clock as _, Scope, SenderNumberId};
use storage::work::{find_dead_letters, lift_pauses, resume, revive, take_dead_letters};

use testkit::eventually;

use crate::{
    script::{Plan, Script, unlimited},
    stage::{LIMIT, any_flow, stage},
};

fn depends_on_scope(window: u32) -> FlowLimits {
    FlowLimits {
        scopes: vec![scope()],
        ..unlimited(window)
    }
}

fn scope() -> Scope {
    Scope::number(SenderNumberId::from_uuid(uuid::Uuid::from_u128(7)))
}

#[tokio::test]
async fn work_is_tried_again_when_it_says() {
    let stage = stage().await;
    let script = Script::of(|claim| {
        Plan::Finish(match claim.attempt {
            1 => Outcome::Retry {
                after: Duration::from_secs(10),
                failed: true,
                reason: "stumbled".to_owned(),
            },
            2 => Outcome::Retry {
                after: Duration::from_secs(5),
                failed: false,
                reason: "throttled".to_owned(),
            },
            _ => Outcome::Done,
        })
    });
    let id = stage.add(any_flow(), 1).await[0];
    let engine = stage.engine(&script);
    stage
        .until_count("work where reason = 'stumbled' and failures = 1", 1)
        .await;
    stage.clock.advance(Duration::from_secs(9));
    engine.look().await;
    assert_eq!(script.acts_on(id), 1);
    stage.clock.advance(Duration::from_secs(1));
    // A throttle does not spend an attempt.
    stage
        .until_count("work where reason = 'throttled' and failures = 1", 1)
        .await;
    stage.clock.advance(Duration::from_secs(5));
    stage.until_empty().await;
    let claims: Vec<(i32, i32)> = script
        .acts()
        .iter()
        .map(|act| (act.claim.attempt, act.claim.failures))
        .collect();
    assert_eq!(claims, [(1, 0), (2, 1), (3, 1)]);
    engine.stop().await;
}

#[tokio::test]
async fn what_is_given_up_can_be_replayed() {
    let stage = stage().await;
    let script = Script::of(|_| {
        Plan::Finish(Outcome::Dead {
            reason: "hopeless".to_owned(),
        })
    });
    let id = stage.add(any_flow(), 1).await[0];
    let engine = stage.engine(&script);
    stage.until_count("dead_letters", 1).await;
    let mut tx = stage.begin().await;
    let letters = find_dead_letters(&mut tx, &[id]).await.unwrap();
    assert_eq!(letters[0].reason, "hopeless");
    script.plan(|_| Plan::Finish(Outcome::Done));
    take_dead_letters(&mut tx, &[id]).await.unwrap();
    revive(&mut tx, &[&letters[0]], stage.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    stage.until_empty().await;
    assert_eq!(script.acts_on(id), 2);
    engine.stop().await;
}

#[tokio::test]
async fn held_work_waits_alone_until_its_scope_is_resumed() {
    let stage = stage().await;
    let script = Script::of(|claim| {
        Plan::Finish(if claim.attempt == 1 && claim.lane == domain::Lane::Bulk {
            Outcome::Hold {
                scope: scope(),
                pause: None,
                reason: "template".to_owned(),
            }
        } else {
            Outcome::Done
        })
    });
    let flow = any_flow();
    let mut held = stage.new_work(flow);
    held.lane = domain::Lane::Bulk;
    stage.insert(std::slice::from_ref(&held)).await;
    let engine = stage.engine(&script);
    stage.until_count("work where state = 'held'", 1).await;
    stage.add(flow, 3).await;
    stage.until_count("work", 1).await;
    let mut tx = stage.begin().await;
    assert_eq!(
        resume(&mut tx, &scope(), stage.clock.now()).await.unwrap(),
        1
    );
    tx.commit().await.unwrap();
    stage.until_empty().await;
    engine.stop().await;
}

fn pause(seconds: u64) -> Outcome {
    Outcome::Pause {
        scope: scope(),
        pause: Backoff::doubling(Duration::from_secs(seconds), Duration::from_hours(1)),
        reason: "cooling".to_owned(),
    }
}

#[tokio::test]
async fn a_throttled_flow_waits_as_a_whole_and_others_do_not() {
    let stage = stage().await;
    let (flow, other) = (any_flow(), any_flow());
    let script = Script::of(move |claim| {
        if claim.flow == flow {
            Plan::AtGate(pause(30))
        } else {
            Plan::Finish(Outcome::Done)
        }
    });
    script.limit_flow(flow, depends_on_scope(1));
    let first = stage.add(flow, 1).await[0];
    stage.clock.advance(Duration::from_secs(1));
    stage.add(flow, 2).await;
    let engine = stage.engine(&script);
    eventually(LIMIT, async || script.acting() == 1).await;
    stage.clock.advance(Duration::from_secs(1));
    script.open_gate();
    stage.until_count("pauses", 1).await;
    let others = stage.add(other, 2).await;
    stage.until_count("work", 3).await;
    assert!(others.iter().all(|id| script.acts_on(*id) == 1));
    stage.clock.advance(Duration::from_secs(29));
    engine.look().await;
    assert_eq!(stage.count("work").await, 3);
    assert_eq!(stage.work(first, "failures").await.as_deref(), Some("0"));
    script.plan(|_| Plan::Finish(Outcome::Done));
    stage.clock.advance(Duration::from_secs(1));
    stage.until_empty().await;
    // What the throttle sent back is older than the rest, and goes first.
    let acts = script.acts();
    let after_pause: Vec<_> = acts
        .iter()
        .filter(|act| act.claim.flow == flow)
        .map(|act| act.claim.id)
        .collect();
    assert_eq!(after_pause[..2], [first, first]);
    engine.stop().await;
}

#[tokio::test]
async fn of_several_pauses_the_longest_holds() {
    let stage = stage().await;
    // In one batch, and in whatever order.
    let script = Script::of(|claim| {
        Plan::AtGate(pause(match claim.lane {
            domain::Lane::Reply => 10,
            domain::Lane::Report => 60,
            domain::Lane::Bulk => 30,
        }))
    });
    let flow = any_flow();
    script.limit_flow(flow, depends_on_scope(3));
    let works = [
        domain::Lane::Reply,
        domain::Lane::Report,
        domain::Lane::Bulk,
    ]
    .map(|lane| {
        let mut work = stage.new_work(flow);
        work.lane = lane;
        work
    });
    stage.insert(&works).await;
    let engine = stage.engine(&script);
    eventually(LIMIT, async || script.acting() == 3).await;
    script.open_gate();
    stage
        .until_count("work where state = 'waiting' and attempt = 1", 3)
        .await;
    stage.clock.advance(Duration::from_secs(59));
    engine.look().await;
    assert_eq!(script.acts().len(), 3);
    script.plan(|_| Plan::Finish(Outcome::Done));
    stage.clock.advance(Duration::from_secs(1));
    stage.until_empty().await;
    engine.stop().await;
}

#[tokio::test]
async fn a_flow_in_trouble_waits_until_somebody_mends_it() {
    let stage = stage().await;
    let script = Script::of(|claim| {
        Plan::Finish(if claim.attempt == 1 {
            pause(600)
        } else {
            Outcome::Done
        })
    });
    script.limit(Some(depends_on_scope(8)));
    // Also where no tenant is known, as for events.
    let mut work = stage.new_work(any_flow());
    work.tenant_id = None;
    stage.insert(std::slice::from_ref(&work)).await;
    let engine = stage.engine(&script);
    stage.until_count("pauses", 1).await;
    stage.clock.advance(Duration::from_secs(599));
    engine.look().await;
    assert_eq!(script.acts().len(), 1);
    let mut tx = stage.begin().await;
    resume(&mut tx, &scope(), stage.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    stage.until_empty().await;
    engine.stop().await;
}

/// Until a try has gone well, the rest waits: what is broken is asked by one, not by all.
#[tokio::test]
async fn when_a_pause_is_over_one_of_all_flows_that_share_it_tries_and_each_vain_try_makes_it_longer()
 {
    let stage = stage().await;
    let script = Script::of(|_| Plan::Finish(pause(10)));
    script.limit(Some(depends_on_scope(8)));
    stage.add(any_flow(), 1).await;
    let engine = stage.engine(&script);
    stage.until_count("pauses", 1).await;
    stage.add(any_flow(), 3).await;
    stage.clock.advance(Duration::from_secs(10));
    stage.until_count("pauses where strikes = 2", 1).await;
    engine.look().await;
    assert_eq!(script.acts().len(), 2);
    stage.clock.advance(Duration::from_secs(19));
    engine.look().await;
    assert_eq!(script.acts().len(), 2);
    stage.clock.advance(Duration::from_secs(1));
    stage.until_count("pauses where strikes = 3", 1).await;
    assert_eq!(script.acts().len(), 3);
    let proven = [(scope(), stage.clock.now() + Duration::from_secs(1))];
    script.plan(|_| Plan::Finish(Outcome::Done));
    let mut tx = stage.begin().await;
    let lifted = lift_pauses(&mut tx, &proven.into(), stage.clock.now()).await;
    assert_eq!(lifted.unwrap(), [scope()]);
    tx.commit().await.unwrap();
    stage.until_empty().await;
    engine.stop().await;
}

#[tokio::test]
async fn of_what_is_held_for_a_scope_one_tries_now_and_then() {
    let stage = stage().await;
    let hold = || Outcome::Hold {
        scope: scope(),
        pause: Some(Backoff::constant(Duration::from_mins(1))),
        reason: "template".to_owned(),
    };
    let script = Script::of(move |_| Plan::Finish(hold()));
    stage.add(any_flow(), 4).await;
    let engine = stage.engine(&script);
    stage.until_count("work where state = 'held'", 4).await;
    stage.clock.advance(Duration::from_mins(1));
    eventually(LIMIT, async || script.acts().len() == 5).await;
    stage.until_count("work where state = 'held'", 4).await;
    engine.look().await;
    assert_eq!(script.acts().len(), 5);
    engine.stop().await;
}
