use std::time::{Duration, Instant};

use dispatch::{Deps, Outcome};
use domain::Losses;
use storage::Database;
use testkit::{TcpProxy, database::through, eventually};

use crate::{
    script::{Plan, Script},
    stage::{LIMIT, Running, any_flow, settings, stage},
};

#[tokio::test]
async fn a_handler_that_panics_loses_this_claim_and_no_other() {
    let stage = stage().await;
    let script = Script::of(|claim| {
        if claim.lane == domain::Lane::Bulk {
            Plan::Panic
        } else {
            Plan::Finish(Outcome::Done)
        }
    });
    let mut work = stage.new_work(any_flow());
    work.lane = domain::Lane::Bulk;
    stage.insert(std::slice::from_ref(&work)).await;
    let engine = stage.engine(&script);
    eventually(LIMIT, async || script.acts_on(work.id) == 1).await;
    // The engine goes on.
    stage.add(any_flow(), 10).await;
    stage.until_empty().await;
    let abandoned = script.abandoned();
    let told = &abandoned[0];
    assert_eq!(
        (abandoned.len(), told.id, told.begun, told.losses),
        (1, work.id, false, Losses::default().and_a_panic())
    );
    engine.stop().await;
}

/// A consumer that hangs keeps its claim only as long as its lease; the engine it is part of takes over from it.
#[tokio::test]
async fn a_handler_that_hangs_loses_its_claim() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::BeginThenGate(Outcome::Done));
    let id = stage.add(any_flow(), 1).await[0];
    let engine = stage.engine(&script);
    eventually(LIMIT, async || script.acts_on(id) == 1).await;
    stage.clock.advance(Duration::from_mins(1));
    stage.until_empty().await;
    assert!(script.abandoned()[0].begun);
    script.open_gate();
    engine.stop().await;
    assert_eq!((script.acts_on(id), script.abandoned().len()), (1, 1));
}

/// The database is away for longer than anybody waits for it.
#[tokio::test]
async fn a_lost_listener_is_made_again() {
    let stage = stage().await;
    let place = stage.test.worker_url.split_once('@').unwrap().1;
    let proxy = TcpProxy::start(place.split_once('/').unwrap().0.parse().unwrap()).await;
    let url = through(&stage.test.worker_url, proxy.address());
    let deps = Deps {
        database: Database::connect(&url, 8, Duration::from_millis(200)).unwrap(),
        ..stage.deps()
    };
    let script = Script::new();
    let mut lazy = settings();
    // So long that only a signal can be what wakes it.
    lazy.poll = Duration::from_mins(10);
    let engine = Running::start(&script, deps, lazy);
    stage.until_count("partition_owners", 16).await;
    stage.add(any_flow(), 1).await;
    stage.until_empty().await;
    proxy.cut().await;
    let began = Instant::now();
    eventually(LIMIT, async || {
        began.elapsed() > Duration::from_millis(1500)
    })
    .await;
    proxy.heal().await;
    stage.add(any_flow(), 1).await;
    stage.until_empty().await;
    engine.stop().await;
}
