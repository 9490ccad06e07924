use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{Clock as _, SystemClock};
use stage::{Expect, Platform, Processors, Report, say};
use tokio::time::{Instant, sleep};

use crate::{
    backlog,
    report::Fairness,
    run::{Cast, END},
    saturation::as_f64,
};

/// Between two single reports: so long that they leave the machine room for a backlog's.
const PAUSE: Duration = Duration::from_millis(100);
/// How long all timed reports may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Times single reports of one tenant while nothing else is sent, beside another's backlog, and once more without it, so
/// that what the machine does meanwhile falls on both; then reports on a number that has bulk work waiting.
pub(crate) async fn measure(
    platform: &Platform,
    cast: &Cast,
    (backlog, samples): (u32, usize),
) -> anyhow::Result<Fairness> {
    let single = cast.single.index;
    time(platform, (single, "warm"), samples / 4, PAUSE).await?;
    let mut idle = time(platform, (single, "before"), samples / 2, PAUSE).await?;
    say(&format!("limits: {backlog} messages wait for one tenant"));
    let buried = cast.buried.index;
    cast.originals
        .add_reports(platform, buried, backlog)
        .await?;
    time(platform, (single, "settle"), samples / 4, PAUSE).await?;
    let began = Processors::now()?;
    let loaded = time(platform, (single, "loaded"), samples, PAUSE).await?;
    let stolen_percent = Processors::now()?.stolen_since(&began);
    backlog::clear(platform, buried).await?;
    platform.until_done(END).await?;
    idle.extend(time(platform, (single, "after"), samples / 2, PAUSE).await?);

    say("limits: bulk waits on a number, and reports come");
    cast.originals
        .add_bulk(platform, cast.bulk.index, 3_000)
        .await?;
    let token = Duration::from_secs(1) / cast.bulk.rate_per_second;
    let behind_bulk = time(platform, (cast.bulk.index, "bulk"), samples / 4, token * 3).await?;
    backlog::clear(platform, cast.bulk.index).await?;

    let (idle, loaded, behind_bulk) = (sorted(idle), sorted(loaded), sorted(behind_bulk));
    Ok(Fairness {
        backlog,
        samples,
        idle_p50_ms: percentile(&idle, 0.50),
        idle_p99_ms: percentile(&idle, 0.99),
        loaded_p50_ms: percentile(&loaded, 0.50),
        loaded_p99_ms: percentile(&loaded, 0.99),
        ratio: percentile(&loaded, 0.99) / percentile(&idle, 0.99),
        stolen_percent,
        behind_bulk_p50_ms: percentile(&behind_bulk, 0.50),
        behind_bulk_p99_ms: percentile(&behind_bulk, 0.99),
        behind_bulk_limit_ms: 2.0 * (percentile(&idle, 0.99) + token.as_secs_f64() * 1e3),
    })
}

/// Posts single reports one after the other; the milliseconds from each post to its arrival at the provider.
async fn time(
    platform: &Platform,
    (lab, name): (usize, &str),
    samples: usize,
    pause: Duration,
) -> anyhow::Result<Vec<f64>> {
    let mut posted: HashMap<String, DateTime<Utc>> = HashMap::new();
    for number in 0..samples {
        let began = SystemClock.now();
        let id = backlog::post(platform, &report(lab, &format!("{name}-{number}"))).await?;
        posted.insert(id, began);
        sleep(pause).await;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let entries = platform.provider.simulator().ledger().entries();
        let arrived = entries.iter().filter_map(|entry| {
            let began = posted.get(entry.opaque.as_ref()?)?;
            Some(
                (entry.at - began)
                    .to_std()
                    .unwrap_or_default()
                    .as_secs_f64()
                    * 1e3,
            )
        });
        let waits: Vec<f64> = arrived.collect();
        if waits.len() >= samples {
            return Ok(waits);
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{} of {samples} single reports arrived",
            waits.len()
        );
        sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) fn report(lab: usize, name: &str) -> Report {
    Report {
        key: format!("{lab}-{name}"),
        lab,
        phone: "+919812345678".to_owned(),
        patient: "Asha Rao".to_owned(),
        file: Bytes::from_static(b"%PDF-1.7\n% one report\n%%EOF\n"),
        expect: Expect::Delivered,
    }
}

fn sorted(mut waits: Vec<f64>) -> Vec<f64> {
    waits.sort_unstable_by(f64::total_cmp);
    waits
}

/// The least wait that this share of them does not exceed.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let below = |place: usize| as_f64(place + 1) < as_f64(sorted.len()) * share;
    let place = (0..sorted.len()).find(|place| !below(*place));
    place
        .and_then(|place| sorted.get(place))
        .copied()
        .unwrap_or(f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_least_wait_that_so_many_do_not_exceed() {
        let waits: Vec<f64> = (1..=200_u32).map(f64::from).collect();
        assert!((percentile(&waits, 0.5) - 100.0).abs() < 1e-9);
        assert!((percentile(&waits, 0.99) - 198.0).abs() < 1e-9);
        assert!((percentile(&[7.0], 0.99) - 7.0).abs() < 1e-9);
    }
}
