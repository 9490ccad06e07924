use std::{collections::HashSet, sync::Arc, time::Duration};

use dispatch::{Deps, Outcome, Settings};
use domain::{FlowId, SystemClock, WorkId};
use testkit::eventually;

use crate::{
    pacing::assert_within,
    script::{Plan, Script, limited},
    stage::{LIMIT, Running, any_flow, connect, settings, stage},
};

/// So often that a replica that comes or goes is noticed within a test.
fn brisk() -> Settings {
    Settings {
        partition_lease: Duration::from_millis(1500),
        ..settings()
    }
}

/// Replicas come and go while work flows: each work is acted on once, and no flow goes faster for it.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_the_work_and_keep_every_rate() {
    const RATE: f64 = 25.0;
    const BURST: u32 = 10;
    let stage = stage().await;
    let script = Script::new();
    script.limit(Some(limited(RATE, BURST)));
    let flows: Vec<FlowId> = (0..6).map(|_| any_flow()).collect();
    for flow in &flows {
        stage.add(*flow, 90).await;
    }
    let start = || {
        let deps = Deps {
            database: connect(&stage.test.worker_url),
            broker: stage.broker.clone(),
            clock: Arc::new(SystemClock),
        };
        Running::start(&script, deps, brisk())
    };
    let first = start();
    eventually(LIMIT, async || script.acts().len() > 60).await;
    let second = start();
    let owners =
        "(select owner_id from partition_owners group by owner_id having count(*) = 8) as fair";
    stage.until_count(owners, 2).await;
    eventually(LIMIT, async || script.acts().len() > 250).await;
    first.stop().await;
    let third = start();
    stage.until_empty().await;
    second.stop().await;
    third.stop().await;

    let acts = script.acts();
    let distinct: HashSet<WorkId> = acts.iter().map(|act| act.claim.id).collect();
    assert_eq!((acts.len(), distinct.len()), (540, 540));
    assert_eq!(script.abandoned(), []);
    for flow in flows {
        assert_within(&acts, flow, (RATE, BURST));
    }
}

#[tokio::test]
async fn what_a_killed_replica_had_in_hand_is_asked_about_and_nothing_else() {
    let stage = stage().await;
    let script = Script::of(|claim| match claim.lane {
        domain::Lane::Bulk => Plan::BeginThenGate(Outcome::Done),
        _ => Plan::AtGate(Outcome::Done),
    });
    let flow = any_flow();
    let begun: Vec<_> = (0..3)
        .map(|_| {
            let mut work = stage.new_work(flow);
            work.lane = domain::Lane::Bulk;
            work
        })
        .collect();
    stage.insert(&begun).await;
    let claimed = stage.add(any_flow(), 4).await;
    let killed = stage.engine(&script);
    stage.until_count("work where begun", 3).await;
    eventually(LIMIT, async || script.acting() == 7).await;
    killed.kill().await;
    assert_eq!(script.acting(), 0);

    // Its hints are delivered again, and claim nothing. What comes anew is done at once, by the one that is left.
    script.plan(|_| Plan::Finish(Outcome::Done));
    let survivor = stage.engine(&script);
    stage.clock.advance(Duration::from_secs(15));
    let anew = stage.add(any_flow(), 5).await;
    stage.until_count("work", 7).await;
    survivor.look().await;
    assert_eq!((stage.count("work").await, script.abandoned()), (7, vec![]));

    stage.clock.advance(Duration::from_secs(45));
    stage.until_empty().await;
    let told: HashSet<(WorkId, bool)> = script
        .abandoned()
        .iter()
        .map(|claim| (claim.id, claim.begun))
        .collect();
    let expected: HashSet<(WorkId, bool)> = begun
        .iter()
        .map(|work| (work.id, true))
        .chain(claimed.iter().map(|id| (*id, false)))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(script.abandoned().len(), 7);
    assert!(anew.iter().all(|id| script.acts_on(*id) == 1));
    survivor.stop().await;
}

/// Over and over: killed at any moment, the next one goes on. Nothing is acted on twice, and all of it comes to its end: by
/// an act, or by what its handler says of a lost claim.
#[tokio::test]
async fn nothing_is_lost_by_replicas_that_are_killed() {
    let stage = stage().await;
    let script = Script::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.extend(stage.add(any_flow(), 60).await);
    }
    for round in 1..=6 {
        let victim = stage.engine(&script);
        eventually(LIMIT, async || script.acts().len() >= round * 20).await;
        victim.kill().await;
        stage.clock.advance(Duration::from_mins(2));
    }
    let last = stage.engine(&script);
    stage.until_empty().await;
    last.stop().await;
    let told: HashSet<WorkId> = script.abandoned().iter().map(|claim| claim.id).collect();
    for id in ids {
        let acts = script.acts_on(id);
        assert!(
            acts == 1 || (acts == 0 && told.contains(&id)),
            "{id}: {acts} acts"
        );
    }
}
