use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::client::Connection;

/// How requests are put.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// When each is due, whether or not the answers keep up; `None`: each connection asks when it was answered.
    pub(crate) pace: Option<Arc<Pace>>,
    /// The status that counts.
    pub(crate) expected: u16,
}

/// So many requests a second, which may change.
pub(crate) struct Pace(Mutex<Beat>);

struct Beat {
    interval: Duration,
    next: Instant,
    passed: u64,
}

impl Pace {
    /// From now on.
    pub(crate) fn new(per_second: f64) -> Self {
        Self(Mutex::new(Beat {
            interval: Duration::from_secs_f64(1.0 / per_second),
            next: Instant::now(),
            passed: 0,
        }))
    }

    pub(crate) fn set(&self, per_second: f64) {
        self.with(|beat| beat.interval = Duration::from_secs_f64(1.0 / per_second));
    }

    /// How many requests have become due, or will next.
    pub(crate) fn passed(&self) -> u64 {
        self.with(|beat| beat.passed)
    }

    /// When the next request is due.
    fn due(&self) -> Instant {
        self.with(|beat| {
            let due = beat.next;
            beat.next += beat.interval;
            beat.passed += 1;
            due
        })
    }

    fn with<R>(&self, use_it: impl FnOnce(&mut Beat) -> R) -> R {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What was answered while it was measured.
pub(crate) struct Answered {
    pub(crate) per_second: f64,
    /// With those of the warm-up.
    pub(crate) requests: u64,
    /// Microseconds from the instant at which a request was due to its answer: who is late is not forgiven.
    pub(crate) waits: Histogram<u64>,
}

impl Answered {
    pub(crate) fn millis(&self, quantile: f64) -> f64 {
        micros_to_millis(self.waits.value_at_quantile(quantile))
    }
}

pub(crate) fn micros_to_millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1e3
}

pub(crate) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 120_000_000, 3).context("histogram")
}

/// Puts requests to one address; `request` makes the n-th.
pub(crate) async fn drive(
    address: SocketAddr,
    load: Load,
    request: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static,
) -> anyhow::Result<Answered> {
    let request = Arc::new(request);
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..load.connections {
        let (load, request, next) = (load.clone(), Arc::clone(&request), Arc::clone(&next));
        asking.spawn(async move { ask(address, load, (began, next), &*request).await });
    }
    let mut waits = histogram()?;
    while let Some(asked) = asking.join_next().await {
        waits.add(asked??)?;
    }
    // Each connection takes one number that it does not ask any more.
    let taken = next.load(Ordering::Relaxed);
    Ok(Answered {
        per_second: as_f64(waits.len()) / load.measured.as_secs_f64(),
        requests: taken.saturating_sub(u64::try_from(load.connections)?),
        waits,
    })
}

async fn ask(
    address: SocketAddr,
    load: Load,
    (began, next): (Instant, Arc<AtomicU64>),
    request: &(impl Fn(u64) -> Vec<u8> + Sync),
) -> anyhow::Result<Histogram<u64>> {
    let mut connection = Connection::open(address).await?;
    let mut waits = histogram()?;
    let (from, to) = (began + load.warm_up, began + load.warm_up + load.measured);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let due = load.pace.as_ref().map_or_else(Instant::now, |it| it.due());
        if due >= to {
            return Ok(waits);
        }
        sleep_until(due).await;
        let status = connection.ask(&request(number)).await?;
        ensure!(
            status == load.expected,
            "a request was answered with {status}"
        );
        let now = Instant::now();
        if now >= from && now < to {
            let wait = now.saturating_duration_since(due).as_micros();
            waits.saturating_record(u64::try_from(wait).unwrap_or(u64::MAX));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts far below what a float can tell apart"
)]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}
