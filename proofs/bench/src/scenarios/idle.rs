use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{Clock as _, SystemClock};
use stage::{Expect, Platform, Report};
use tokio::time::{Instant, sleep};

use crate::load::histogram;

/// Between two reports: the statuses and callbacks of one are through before the next is timed.
const PAUSE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// One report at a time, numbered from `first`, no two of a run to one patient: microseconds from the post to its arrival at the provider.
pub(crate) async fn measure(
    platform: &Platform,
    (first, samples): (usize, usize),
) -> anyhow::Result<hdrhistogram::Histogram<u64>> {
    let ledger = platform.provider.simulator().ledger();
    let mut posted: HashMap<String, DateTime<Utc>> = HashMap::new();
    for number in first..first + samples {
        let began = SystemClock.now();
        let id = platform.lims.post(&report(number)).await;
        let id = id.ok_or_else(|| anyhow::anyhow!("a report was not accepted"))?;
        let deadline = Instant::now() + PATIENCE;
        while ledger.count(&id) == 0 {
            anyhow::ensure!(Instant::now() < deadline, "{id} did not arrive");
            sleep(Duration::from_millis(1)).await;
        }
        posted.insert(id, began);
        sleep(PAUSE).await;
    }
    let mut waits = histogram()?;
    for entry in ledger.entries() {
        let Some(began) = entry.opaque.as_ref().and_then(|id| posted.get(id)) else {
            continue;
        };
        let wait = (entry.at - *began).num_microseconds().unwrap_or(i64::MAX);
        waits.saturating_record(u64::try_from(wait).unwrap_or(0));
    }
    Ok(waits)
}

fn report(number: usize) -> Report {
    Report {
        // None of them ends as the keys do that are posted as a form.
        key: format!("idle-{number}-"),
        lab: 0,
        phone: format!("+9197{number:08}"),
        patient: "Asha Rao".to_owned(),
        file: Bytes::from(format!("%PDF-1.7\n% report {number}\n%%EOF\n")),
        expect: Expect::Delivered,
    }
}
