use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dispatch::{Deps, Outcome};
use domain::{FlowId, Lane, Rate, Scope, SenderNumberId, SystemClock, WorkId};
use queue::Broker;
use testkit::eventually;
use uuid::Uuid;

use crate::{
    script::{Act, Plan, Script, limited, unlimited},
    stage::{LIMIT, Running, any_flow, connect, settings, stage},
};

/// The machine's own clock, for what is about speed.
fn real_time(url: &str, broker: &Broker) -> Deps {
    Deps {
        database: connect(url),
        broker: broker.clone(),
        clock: Arc::new(SystemClock),
    }
}

fn instants(acts: &[Act], flow: FlowId) -> Vec<Duration> {
    let mut at: Vec<Duration> = acts
        .iter()
        .filter(|act| act.claim.flow == flow)
        .map(|act| act.at)
        .collect();
    at.sort_unstable();
    at
}

/// In no window of any length more than the burst and what the rate allows. Between a claim, which the bucket counts, and
/// the act, which is measured here, a busy machine may take a moment.
pub(crate) fn assert_within(acts: &[Act], flow: FlowId, (per_second, burst): (f64, u32)) {
    const MOMENT: f64 = 0.15;
    let at = instants(acts, flow);
    for (first, from) in at.iter().enumerate() {
        for (last, to) in at.iter().enumerate().skip(first) {
            let seconds = to.saturating_sub(*from).as_secs_f64() + MOMENT;
            let most = f64::from(burst) + per_second * seconds;
            let count = u32::try_from(last - first + 1).unwrap();
            assert!(
                f64::from(count) <= most,
                "{count} in {seconds:.3} s, from the {first}th on"
            );
        }
    }
}

#[tokio::test]
async fn work_is_done_once_and_gone() {
    let stage = stage().await;
    let script = Script::new();
    let engine = stage.engine(&script);
    let mut ids: Vec<WorkId> = Vec::new();
    for _ in 0..20 {
        ids.extend(stage.add(any_flow(), 10).await);
    }
    stage.until_empty().await;
    let mut acted: Vec<WorkId> = script.acts().iter().map(|act| act.claim.id).collect();
    acted.sort_unstable();
    ids.sort_unstable();
    assert_eq!(acted, ids);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_kept_and_used() {
    const RATE: f64 = 30.0;
    const BURST: u32 = 15;
    let stage = stage().await;
    let script = Script::new();
    script.limit(Some(limited(RATE, BURST)));
    let flow = any_flow();
    stage.add(flow, 90).await;
    let engine = Running::start(
        &script,
        real_time(&stage.test.worker_url, &stage.broker),
        settings(),
    );
    stage.until_empty().await;
    engine.stop().await;

    let acts = script.acts();
    assert_eq!(acts.len(), 90);
    assert_within(&acts, flow, (RATE, BURST));
    let at = instants(&acts, flow);
    let took = at[89].saturating_sub(at[0]).as_secs_f64();
    assert!(
        took <= 89.0 / RATE / 0.9,
        "less than 90 % of the rate: {took} s"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_one_flow_does_not_delay_another() {
    let stage = stage().await;
    let script = Script::new();
    let (busy, idle) = (any_flow(), any_flow());
    script.limit_flow(busy, limited(20.0, 5));
    for _ in 0..4 {
        stage.add(busy, 500).await;
    }
    let engine = Running::start(
        &script,
        real_time(&stage.test.worker_url, &stage.broker),
        settings(),
    );
    eventually(LIMIT, async || script.acts().len() > 5).await;
    let id = stage.add(idle, 1).await[0];
    eventually(LIMIT, async || script.acts_on(id) == 1).await;
    let before = script
        .acts()
        .iter()
        .filter(|act| act.claim.flow == busy)
        .count();
    assert!(before < 200, "{before} of the backlog went first");
    engine.kill().await;
}

#[tokio::test]
async fn a_recipients_rate_is_kept_while_others_go_on() {
    let stage = stage().await;
    let script = Script::new();
    let mut limits = unlimited(1000);
    limits.pair = Some(Rate::new(1.0 / 6.0, 3).unwrap());
    script.limit(Some(limits));
    let flow = any_flow();
    let to = |pair: &[u8], count: usize| {
        let work = || {
            let mut work = stage.new_work(flow);
            work.pair = Some(pair.to_vec());
            work
        };
        (0..count).map(|_| work()).collect::<Vec<_>>()
    };
    let engine = stage.engine(&script);
    stage.until_count("partition_owners", 16).await;
    engine.look().await;
    // Long enough to know that nobody else just sent to them, and short of a lease.
    stage.clock.advance(Duration::from_secs(14));
    let (often, once) = (to(b"often", 5), to(b"once", 1));
    stage.insert(&[often, once.clone()].concat()).await;
    stage.until_count("work", 3).await;
    assert_eq!(script.acts_on(once[0].id), 1);
    engine.look().await;
    let reasons = stage.count(
        "work where reason = 'waiting for the rate limit of this recipient' and state = 'waiting'",
    );
    assert_eq!((script.acts().len(), reasons.await), (3, 3));
    // When those two were used was not seen, so nothing was earned in the first six seconds; then six for each of the others.
    stage.clock.advance(Duration::from_secs(6));
    engine.look().await;
    for left in [2, 1, 0] {
        stage.clock.advance(Duration::from_secs(5));
        engine.look().await;
        assert_eq!(stage.count("work").await, left + 1);
        stage.clock.advance(Duration::from_secs(1));
        stage.until_count("work", left).await;
    }
    engine.stop().await;
}

/// However many wait for one recipient, what is behind them goes as fast as the flow may.
#[tokio::test]
async fn postponed_work_does_not_stand_in_the_way() {
    let stage = stage().await;
    let script = Script::new();
    let mut limits = unlimited(3);
    limits.pair = Some(Rate::new(0.001, 2).unwrap());
    script.limit(Some(limits));
    let flow = any_flow();
    let mut works = Vec::new();
    for n in 0..40_u8 {
        let mut work = stage.new_work(flow);
        // Forty to one recipient, then one to each of five.
        work.pair = Some(vec![n.saturating_sub(34)]);
        work.due_at += Duration::from_millis(n.into());
        works.push(work);
    }
    stage.clock.advance(Duration::from_secs(1));
    stage.insert(&works).await;
    let mut slow = settings();
    slow.poll = Duration::from_mins(1);
    let engine = Running::start(&script, stage.deps(), slow);
    stage.until_count("work", 34).await;
    assert_eq!(script.acts().len(), 6);
    engine.stop().await;
}

#[tokio::test]
async fn reply_goes_before_report_before_bulk() {
    let stage = stage().await;
    let script = Script::new();
    script.limit(Some(unlimited(1)));
    let flow = any_flow();
    let mut works = Vec::new();
    for lane in [Lane::Bulk, Lane::Report, Lane::Reply] {
        for _ in 0..3 {
            let mut work = stage.new_work(flow);
            work.lane = lane;
            works.push(work);
        }
    }
    stage.insert(&works).await;
    let engine = stage.engine(&script);
    stage.until_empty().await;
    let lanes: Vec<Lane> = script.acts().iter().map(|act| act.claim.lane).collect();
    let expected = [[Lane::Reply; 3], [Lane::Report; 3], [Lane::Bulk; 3]].concat();
    assert_eq!(lanes, expected);
    engine.stop().await;
}

#[tokio::test]
async fn a_window_bounds_what_is_under_way() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::AtGate(Outcome::Done));
    script.limit(Some(unlimited(3)));
    let flow = any_flow();
    stage.add(flow, 10).await;
    let engine = stage.engine(&script);
    for left in [10, 9, 8] {
        eventually(LIMIT, async || script.acting() == 3).await;
        engine.look().await;
        assert_eq!(script.acting(), 3);
        assert_eq!(
            stage
                .count("work where state in ('released', 'claimed')")
                .await,
            3
        );
        assert_eq!(stage.count("work").await, left);
        script.let_through(1);
        stage.until_count("work", left - 1).await;
    }
    script.open_gate();
    stage.until_empty().await;
    engine.stop().await;
}

/// Whatever becomes of what fills a window, the next is released at once, and not when somebody looks by chance.
#[tokio::test]
async fn what_waits_for_room_goes_when_there_is_some() {
    let stage = stage().await;
    let reason = || "of its own".to_owned();
    let outcomes = [
        Outcome::Done,
        Outcome::Dead { reason: reason() },
        Outcome::Hold {
            scope: Scope::number(SenderNumberId::from_uuid(Uuid::from_u128(7))),
            pause: None,
            reason: reason(),
        },
        Outcome::Retry {
            after: Duration::from_hours(1),
            failed: false,
            reason: reason(),
        },
    ];
    let (acts, next) = (outcomes.len() + 1, AtomicUsize::new(0));
    let script = Script::of(move |_| {
        let outcome = outcomes.get(next.fetch_add(1, Ordering::Relaxed));
        Plan::Finish(outcome.cloned().unwrap_or(Outcome::Done))
    });
    script.limit(Some(unlimited(1)));
    stage.add(any_flow(), acts).await;
    let mut blind = settings();
    blind.poll = Duration::from_mins(10);
    let engine = Running::start(&script, stage.deps(), blind);
    eventually(LIMIT, async || script.acts().len() == acts).await;
    engine.stop().await;
}

/// What waits for room is woken by the outcome that makes it: to keep looking would cost a core.
#[tokio::test]
async fn a_full_window_is_not_looked_at_over_and_over() {
    let stage = stage().await;
    let script = Script::of(|_| Plan::AtGate(Outcome::Done));
    let mut limits = limited(1000.0, 100);
    limits.window = 2;
    script.limit(Some(limits));
    stage.add(any_flow(), 5).await;
    let mut slow = settings();
    slow.poll = Duration::from_millis(250);
    let engine = Running::start(
        &script,
        real_time(&stage.test.worker_url, &stage.broker),
        slow,
    );
    eventually(LIMIT, async || script.acting() == 2).await;
    let (turns, began) = (engine.turns(), std::time::Instant::now());
    eventually(LIMIT, async || began.elapsed() > Duration::from_secs(1)).await;
    let turns = engine.turns() - turns;
    assert!(turns < 15, "{turns} turns in a second");
    script.open_gate();
    stage.until_empty().await;
    engine.stop().await;
}

#[tokio::test]
async fn a_flow_without_limits_waits_until_it_has_some() {
    let stage = stage().await;
    let script = Script::new();
    script.limit(None);
    let flow = any_flow();
    stage.add(flow, 1).await;
    let engine = stage.engine(&script);
    engine.look().await;
    assert_eq!(script.acts().len(), 0);
    script.limit_flow(flow, unlimited(10));
    stage.until_empty().await;
    engine.stop().await;
}

#[tokio::test]
async fn a_flow_that_loses_its_limits_is_not_released_any_more() {
    let stage = stage().await;
    let script = Script::new();
    let flow = any_flow();
    stage.add(flow, 1).await;
    let engine = stage.engine(&script);
    stage.until_empty().await;
    script.limit(None);
    // Limits are asked for again after ten seconds.
    stage.clock.advance(Duration::from_secs(11));
    stage.add(flow, 1).await;
    engine.look().await;
    assert_eq!(
        (
            script.acts().len(),
            stage.count("work where state = 'waiting'").await
        ),
        (1, 1)
    );
    script.limit(Some(unlimited(10)));
    stage.clock.advance(Duration::from_secs(11));
    stage.until_empty().await;
    engine.stop().await;
}

#[tokio::test]
async fn a_new_rate_is_in_force_within_ten_seconds() {
    let stage = stage().await;
    let script = Script::new();
    script.limit(Some(limited(1.0, 1)));
    let flow = any_flow();
    stage.add(flow, 20).await;
    let engine = stage.engine(&script);
    // A token is earned from the instant at which the partition was taken.
    stage.until_count("partition_owners", 16).await;
    engine.look().await;
    assert_eq!(script.acts().len(), 0);
    stage.clock.advance(Duration::from_secs(1));
    stage.until_count("work", 19).await;
    script.limit(Some(limited(10.0, 10)));
    // A token is earned from the look that shows the last one used.
    engine.look().await;
    stage.clock.advance(Duration::from_secs(10));
    stage.until_count("work", 18).await;
    engine.look().await;
    stage.clock.advance(Duration::from_secs(1));
    stage.until_count("work", 8).await;
    engine.stop().await;
}

#[tokio::test]
async fn work_waits_until_it_is_due() {
    let stage = stage().await;
    let script = Script::new();
    let mut work = stage.new_work(any_flow());
    work.due_at += Duration::from_secs(30);
    stage.insert(std::slice::from_ref(&work)).await;
    let engine = stage.engine(&script);
    stage.clock.advance(Duration::from_secs(29));
    engine.look().await;
    assert_eq!(script.acts().len(), 0);
    stage.clock.advance(Duration::from_secs(1));
    stage.until_empty().await;
    engine.stop().await;
}
