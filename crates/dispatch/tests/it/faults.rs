use std::time::Duration;

use dispatch::Outcome;
use testkit::eventually;

use crate::{
    script::{Plan, Script},
    stage::{LIMIT, any_flow, stage},
};

#[tokio::test]
async fn a_handler_that_panics_is_told_of_by_its_lease() {
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
    stage.until_count("work", 1).await;
    assert_eq!(script.abandoned(), []);
    stage.clock.advance(Duration::from_mins(1));
    stage.until_empty().await;
    let abandoned = script.abandoned();
    assert_eq!(
        (abandoned.len(), abandoned[0].id, abandoned[0].begun),
        (1, work.id, false)
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

#[tokio::test]
async fn a_lost_connection_of_the_listener_is_made_again() {
    let stage = stage().await;
    let script = Script::new();
    let mut lazy = crate::stage::settings();
    // So long that only a signal can be what wakes it.
    lazy.poll = Duration::from_mins(10);
    let deps = dispatch::Deps {
        database: crate::stage::connect(&stage.test.owner_url),
        ..stage.deps()
    };
    let engine = crate::stage::Running::start(&script, deps, lazy);
    let listeners = "pg_stat_activity where query ilike 'listen%' and datname = current_database()";
    stage.until_count(listeners, 1).await;
    stage.add(any_flow(), 1).await;
    stage.until_empty().await;
    let cut = format!("select pg_terminate_backend(pid) as cut from {listeners}");
    assert_eq!(stage.test.rows(&cut).await.len(), 1);
    stage.until_count(listeners, 1).await;
    stage.add(any_flow(), 1).await;
    stage.until_empty().await;
    engine.stop().await;
}
