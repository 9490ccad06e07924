use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{Clock as _, SystemClock};
use stage::{Lab, Platform, Service, say};
use tokio::time::sleep;

use crate::{
    report::NumberSeen,
    windows::{busiest, excess},
};

/// Between two changes of who sends.
const STEP: Duration = Duration::from_secs(12);
/// How long a sender may take to finish what it has in hand.
const DRAIN: Duration = Duration::from_secs(20);

/// Lets three senders come and go while every number has more to send than it may; what the provider saw of each number.
pub(crate) async fn measure(
    platform: &Platform,
    numbers: &[Lab],
) -> anyhow::Result<Vec<NumberSeen>> {
    let senders = platform.replicas(Service::Sender);
    let start = async |index: usize| match senders.get(index) {
        Some(sender) => sender.hold().await.start(&[]),
        None => Ok(()),
    };
    let leave = async |index: usize| match senders.get(index) {
        Some(sender) => sender.hold().await.terminate(DRAIN).await.map(drop),
        None => Ok(()),
    };
    start(0).await?;
    start(1).await?;
    sleep(STEP).await;
    say("limits: a third sender joins");
    start(2).await?;
    sleep(STEP).await;
    say("limits: one leaves");
    leave(0).await?;
    sleep(STEP).await;
    say("limits: it joins again, and another leaves");
    start(0).await?;
    leave(1).await?;
    sleep(STEP).await;
    let before_kill = SystemClock.now();
    say("limits: one is killed");
    if let Some(sender) = senders.get(2) {
        let mut sender = sender.hold().await;
        sender.kill().await?;
        sender.start(&[])?;
    }
    sleep(STEP + STEP / 2).await;
    let end = SystemClock.now();
    let seen = numbers.iter();
    Ok(seen
        .map(|number| judge(platform, number, before_kill, end))
        .collect())
}

fn judge(
    platform: &Platform,
    number: &Lab,
    before_kill: DateTime<Utc>,
    end: DateTime<Utc>,
) -> NumberSeen {
    let id = number.phone_number_id();
    let entries = platform.provider.simulator().ledger().entries();
    let mut at: Vec<DateTime<Utc>> = entries
        .iter()
        .filter(|entry| entry.phone_number_id == id && entry.at <= end)
        .map(|entry| entry.at)
        .collect();
    at.sort_unstable();
    let first = at.first().copied().unwrap_or(end);
    let since = |instant: &DateTime<Utc>| (*instant - first).to_std().unwrap_or_default();
    let instants: Vec<Duration> = at.iter().map(since).collect();
    let rate = number.rate_per_second;
    let used = |from: DateTime<Utc>, to: DateTime<Utc>| {
        let count = at.iter().filter(|it| **it > from && **it <= to).count();
        let seconds = (to - from).to_std().unwrap_or_default().as_secs_f64();
        as_f64(count) / (f64::from(rate) * seconds)
    };
    NumberSeen {
        rate_per_second: rate,
        burst: number.burst,
        requests: at.len(),
        excess: excess(&instants, f64::from(rate), f64::from(number.burst)),
        most_in_1_s: busiest(&instants, Duration::from_secs(1)),
        most_in_10_s: busiest(&instants, Duration::from_secs(10)),
        utilisation: used(first, before_kill),
        utilisation_with_a_kill: used(before_kill, end),
    }
}

pub(crate) fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
