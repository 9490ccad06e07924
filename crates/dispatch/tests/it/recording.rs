use std::time::Duration;

use dispatch::{Deps, Outcome};
use domain::{Clock as _, Losses, WorkKind};
use storage::work::{
    DeadLetterFilter, Disposition, Finished, claim_abandoned, finish, list_dead_letters,
};
use testkit::{TcpProxy, database::through, eventually};

use crate::{
    script::{Plan, Script},
    stage::{LIMIT, Running, any_flow, connect, settings, stage},
};

#[tokio::test]
async fn an_effect_that_cannot_be_recorded_suffers_alone_and_in_the_end_is_given_up() {
    let stage = stage().await;
    let script = Script::of(|claim| {
        if claim.lane == domain::Lane::Bulk {
            Plan::Poison
        } else {
            Plan::AtGate(Outcome::Done)
        }
    });
    let mut strict = settings();
    strict.max_record_failures = 2;
    let mut poison = stage.new_work(any_flow());
    poison.lane = domain::Lane::Bulk;
    stage.insert(std::slice::from_ref(&poison)).await;
    let others = stage.add(any_flow(), 10).await;
    script.open_gate();
    let engine = Running::start(&script, stage.deps(), strict);
    for failures in [1, 2] {
        let row = format!("work where state = 'waiting' and failures = {failures}");
        stage.until_count(&row, 1).await;
        stage.until_count("work", 1).await;
        assert_eq!(script.acts_on(poison.id), failures);
        stage.clock.advance(Duration::from_mins(1));
    }
    stage.until_empty().await;
    assert!(others.iter().all(|id| script.acts_on(*id) == 1));
    let mut tx = stage.begin().await;
    let letters = list_dead_letters(&mut tx, &DeadLetterFilter::default(), None, 10)
        .await
        .unwrap();
    let told: Vec<_> = letters.iter().map(|it| (it.id, &*it.reason)).collect();
    assert_eq!(told, [(poison.id, "its outcome could not be recorded")]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_out_while_the_database_is_away_is_kept_and_written_when_it_returns() {
    let stage = stage().await;
    let address = {
        let url = stage.test.worker_url.split_once('@').unwrap().1;
        url.split_once('/').unwrap().0.parse().unwrap()
    };
    let proxy = TcpProxy::start(address).await;
    let deps = Deps {
        database: connect(&through(&stage.test.worker_url, proxy.address())),
        ..stage.deps()
    };
    let script = Script::of(|_| Plan::AtGate(Outcome::Done));
    let ids = stage.add(any_flow(), 5).await;
    let engine = Running::start(&script, deps, settings());
    eventually(LIMIT, async || script.acting() == 5).await;
    proxy.cut().await;
    script.open_gate();
    eventually(LIMIT, async || script.acts().len() == 5).await;
    let began = std::time::Instant::now();
    eventually(LIMIT, async || began.elapsed() > Duration::from_secs(1)).await;
    assert_eq!(stage.count("work where state = 'claimed'").await, 5);
    proxy.heal().await;
    stage.until_empty().await;
    // Nothing was done again for that.
    assert!(ids.iter().all(|id| script.acts_on(*id) == 1));
    assert_eq!(script.abandoned(), []);
    // And the engine goes on.
    stage.add(any_flow(), 1).await;
    stage.until_empty().await;
    engine.stop().await;
}

#[tokio::test]
async fn who_lost_the_claim_does_not_begin_and_its_outcome_is_not_heard() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::AtGateThenBegin(Outcome::Done));
    let id = stage.add(any_flow(), 1).await[0];
    let engine = stage.engine(&script);
    eventually(LIMIT, async || script.acting() == 1).await;
    let mut tx = stage.begin().await;
    let later = stage.clock.now() + Duration::from_hours(1);
    let everywhere: Vec<i16> = (0..domain::PARTITIONS).collect();
    let taken = claim_abandoned(&mut tx, WorkKind::Send, &everywhere, later, later)
        .await
        .unwrap();
    assert_eq!(
        (taken[0].id, taken[0].attempt, taken[0].begun),
        (id, 2, false)
    );
    tx.commit().await.unwrap();
    script.open_gate();
    eventually(LIMIT, async || script.recorded().contains(&id)).await;
    assert_eq!(script.acts()[0].begun, Some(false));
    engine.stop().await;

    // The one that took over is still the one to say.
    assert_eq!(stage.work(id, "state").await.as_deref(), Some("claimed"));
    let mut tx = stage.begin().await;
    let done = Finished {
        id,
        attempt: 2,
        losses: Losses::of(1),
        disposition: Disposition::Done,
    };
    assert_eq!(finish(&mut tx, &[done], later).await.unwrap().len(), 1);
}

#[tokio::test]
async fn beginning_is_durable_before_the_act() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::BeginThenGate(Outcome::Done));
    let ids = stage.add(any_flow(), 20).await;
    let engine = stage.engine(&script);
    eventually(LIMIT, async || script.acts().len() == 20).await;
    assert!(script.acts().iter().all(|act| act.begun == Some(true)));
    assert_eq!(
        stage.count("work where begun and state = 'claimed'").await,
        20
    );
    script.open_gate();
    stage.until_empty().await;
    assert!(ids.iter().all(|id| script.acts_on(*id) == 1));
    engine.stop().await;
}

/// The provider may have sent it: only the handler can say what is to be done, not the engine.
#[tokio::test]
async fn what_was_begun_is_not_done_again_when_its_outcome_cannot_be_recorded() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::BeginThenPoison);
    let id = stage.add(any_flow(), 1).await[0];
    let engine = stage.engine(&script);
    eventually(LIMIT, async || !script.recorded().is_empty()).await;
    for _ in 0..3 {
        stage.clock.advance(Duration::from_secs(15));
        engine.look().await;
    }
    assert_eq!(stage.work(id, "state").await.as_deref(), Some("claimed"));
    stage.clock.advance(Duration::from_secs(16));
    stage.until_empty().await;
    assert_eq!(script.acts_on(id), 1);
    let abandoned = script.abandoned();
    assert_eq!((abandoned.len(), abandoned[0].begun), (1, true));
    engine.stop().await;
}

#[tokio::test]
async fn a_handler_that_panics_while_it_records_spoils_one_outcome_and_not_the_engine() {
    let stage = stage().await;
    let script = Script::of(|claim| {
        if claim.lane == domain::Lane::Bulk {
            Plan::Explosive
        } else {
            Plan::AtGate(Outcome::Done)
        }
    });
    let mut explosive = stage.new_work(any_flow());
    explosive.lane = domain::Lane::Bulk;
    stage.insert(std::slice::from_ref(&explosive)).await;
    stage.add(any_flow(), 10).await;
    script.open_gate();
    let engine = stage.engine(&script);
    stage.until_count("work", 1).await;
    stage
        .until_count("work where state = 'waiting' and failures = 1", 1)
        .await;
    // The engine goes on.
    stage.add(any_flow(), 3).await;
    stage.until_count("work", 1).await;
    engine.stop().await;
}
