use std::time::Duration;

use serde::Serialize;
use stage::{Callback, Platform, Service, say};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use super::accept::{Content, Posts};
use crate::{
    load::{Load, as_f64, drive, histogram, micros_to_millis},
    usage::Usage,
};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);

/// What one look saw.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Seen {
    pub(crate) seconds: f64,
    /// Since the look before: how many were read, and their way from acceptance to the callback that says so.
    pub(crate) read_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Mebibytes of the service that has most, and of all of them.
    pub(crate) largest_service: f64,
    pub(crate) all_services: f64,
    /// Rows of work that is to be done.
    pub(crate) work: f64,
    /// Mebibytes of the work table with its indexes, and dead rows in it.
    pub(crate) work_table: f64,
    pub(crate) dead_rows: f64,
}

/// Texts at a steady rate for so long, whether or not they are keeping up; what each look saw.
pub(crate) async fn measure(
    platform: &Platform,
    posts: &Posts,
    (rate, lasting, connections): (f64, Duration, usize),
) -> anyhow::Result<Vec<Seen>> {
    let address = platform.address(Service::ApiGateway)?;
    let load = Load {
        connections,
        warm_up: Duration::ZERO,
        measured: lasting,
        rate: Some(rate),
        expected: 202,
    };
    let posts = posts.clone();
    let mut posting = Box::pin(drive(address, load, move |_| posts.next(&Content::Text)));
    let began = Instant::now();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.tick().await;
    let mut known = platform.callbacks.taken().len();
    let mut looked = began;
    let mut seen = Vec::new();
    loop {
        tokio::select! {
            posted = &mut posting => {
                posted?;
                say_tables(platform).await?;
                return Ok(seen);
            }
            _ = look.tick() => {
                let now = Instant::now();
                let callbacks = platform.callbacks.taken().lines_from(known);
                known += callbacks.len();
                let latest = see(platform, &callbacks, (now - looked, now - began)).await?;
                say(&format!(
                    "  {:>4.0} s: {:>7.1} read a second, p50 {:>6.1} ms, p99 {:>7.1} ms, {:>6.1} MiB, work {:>6}, its table {:>6.1} MiB",
                    latest.seconds, latest.read_per_second, latest.p50_ms, latest.p99_ms, latest.largest_service, latest.work,
                    latest.work_table
                ));
                looked = now;
                seen.push(latest);
            }
        }
    }
}

async fn see(
    platform: &Platform,
    callbacks: &[Callback],
    (since, elapsed): (Duration, Duration),
) -> anyhow::Result<Seen> {
    let mut waits = histogram()?;
    for (callback, accepted_at) in reads(callbacks) {
        let wait = callback.at.timestamp_millis() - accepted_at;
        waits.saturating_record(u64::try_from(wait * 1000).unwrap_or(1));
    }
    let usage = Usage::now()?;
    let memory = |service: Service| mebibytes(usage.memory_bytes(service.name()));
    let services = Service::ALL.map(memory);
    let table = "SELECT (SELECT count(*) FROM work), pg_total_relation_size('work'), \
         (SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'work')";
    let table = platform.servers.sql(table).await?;
    let mut numbers = table.trim().split('|').map(str::parse::<u64>);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or_default();
    Ok(Seen {
        seconds: elapsed.as_secs_f64(),
        read_per_second: as_f64(waits.len()) / since.as_secs_f64(),
        p50_ms: micros_to_millis(waits.value_at_quantile(0.5)),
        p99_ms: micros_to_millis(waits.value_at_quantile(0.99)),
        largest_service: services.into_iter().fold(0.0, f64::max),
        all_services: services.into_iter().sum(),
        work: as_f64(next()),
        work_table: mebibytes(next()),
        dead_rows: as_f64(next()),
    })
}

/// What is in the tables that were written to, partitions together, and how many of their updates touched no index.
async fn say_tables(platform: &Platform) -> anyhow::Result<()> {
    let tables = "SELECT coalesce(parent.relname, s.relname), sum(n_live_tup), sum(n_dead_tup), \
         sum(pg_total_relation_size(s.relid)), sum(n_tup_upd), sum(n_tup_hot_upd) FROM pg_stat_user_tables AS s \
         LEFT JOIN pg_inherits AS i ON i.inhrelid = s.relid LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent \
         GROUP BY 1 HAVING sum(n_tup_ins) >= 1000 ORDER BY 4 DESC";
    for line in platform.servers.sql(tables).await?.lines() {
        let mut fields = line.trim().split('|');
        let name = fields.next().unwrap_or_default().trim();
        let mut numbers = fields.map(|it| it.trim().parse::<u64>().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        let (live, dead, mebibytes) = (next(), next(), mebibytes(next()));
        let (updated, in_place) = (next(), next());
        let in_place = 100.0 * as_f64(in_place) / as_f64(updated.max(1));
        say(&format!(
            "  {name:<22} {live:>10} rows, {dead:>8} dead, {mebibytes:>8.1} MiB, {updated:>10} updates, {in_place:>5.1} % in place"
        ));
    }
    Ok(())
}

/// The callbacks that say that a message was read, and when each was accepted (Unix milliseconds).
pub(crate) fn reads(callbacks: &[Callback]) -> impl Iterator<Item = (&Callback, i64)> {
    callbacks
        .iter()
        .filter_map(|callback| Some((callback, accepted_at(&callback.body)?)))
}

/// Of a callback that says that a message was read: when it was accepted, by its id.
fn accepted_at(body: &str) -> Option<i64> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let is_read = body.pointer("/data/state")?.as_str()? == "read";
    let id = body.pointer("/data/message_id")?.as_str()?;
    let id = Uuid::parse_str(id.strip_prefix("msg_")?).ok()?;
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let millis = i64::try_from(seconds).ok()? * 1000 + i64::from(nanos / 1_000_000);
    is_read.then_some(millis)
}

fn mebibytes(bytes: u64) -> f64 {
    as_f64(bytes) / f64::from(1 << 20)
}
