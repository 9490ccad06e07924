use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde::Serialize;
use serde_json::Value;
use stage::{Callback, Platform, Service, say};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use super::accept::{Content, Posts};
use crate::{
    load::{Load, Pace, as_f64, drive, histogram, micros_to_millis},
    plot::{Series, svg},
    usage::{Pressure, Usage},
};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// So many of the latest looks say how fast the machine is.
const LATEST: usize = 3;

/// What one look saw.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Seen {
    pub(crate) seconds: f64,
    /// Since the look before: how many were posted, and what the load itself has cost for each, in milliseconds of CPU.
    pub(crate) posted_per_second: f64,
    pub(crate) load_ms: f64,
    /// Since the look before: how many were read, and their way from acceptance to the callback that says so.
    pub(crate) read_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Mebibytes, in the order of `Service::ALL`.
    pub(crate) services: Vec<f64>,
    /// Rows of work that is to be done, and messages that lie in the broker's queues.
    pub(crate) work: f64,
    pub(crate) queued: f64,
    /// Mebibytes of the work table with its indexes, and dead rows in it.
    pub(crate) work_table: f64,
    pub(crate) dead_rows: f64,
    /// Since the look before: in how much of the time something waited for a processor, and for the disk, percent.
    pub(crate) processors_awaited: f64,
    pub(crate) disk_awaited: f64,
    /// Since the look before: mebibytes of WAL, how much of it pages written in full because of a checkpoint; and how many
    /// checkpoints have begun since the server was started.
    pub(crate) wal: f64,
    pub(crate) full_pages: f64,
    pub(crate) checkpoints: f64,
}

impl Seen {
    pub(crate) fn all_services(&self) -> f64 {
        self.services.iter().sum()
    }

    fn line(&self) -> String {
        let services: Vec<String> = self.services.iter().map(|it| format!("{it:.0}")).collect();
        format!(
            "  {:>4.0} s: {:>6.1} posted, {:>6.1} read a second, the load {:.3} ms each, p50 {:>6.1} ms, p99 {:>7.1}, {} MiB, work {:>5}, queued {:>4}, its table {:>5.1} MiB, \
             awaited: processors {:>3.0} %, disk {:>3.0} %, WAL {:>5.1} MiB, {:>5} full pages, checkpoint {}",
            self.seconds,
            self.posted_per_second,
            self.read_per_second,
            self.load_ms,
            self.p50_ms,
            self.p99_ms,
            services.join(" "),
            self.work,
            self.queued,
            self.work_table,
            self.processors_awaited,
            self.disk_awaited,
            self.wal,
            self.full_pages,
            self.checkpoints
        )
    }
}

/// Texts for so long, whether or not they are keeping up; what each look saw. They begin at a rate and go on at the same
/// part of what the machine can do: it is shared, and what the load itself costs, which does the same for each text, says
/// how much slower or faster it has become.
pub(crate) async fn measure(
    platform: &Platform,
    posts: &Posts,
    (rate, lasting, connections): (f64, Duration, usize),
) -> anyhow::Result<Vec<Seen>> {
    let address = platform.address(Service::ApiGateway)?;
    let pace = Arc::new(Pace::new(rate));
    let load = Load {
        connections,
        warm_up: Duration::ZERO,
        measured: lasting,
        pace: Some(Arc::clone(&pace)),
        expected: 202,
    };
    let posts = posts.clone();
    let mut posting = Box::pin(drive(address, load, move |_| posts.next(&Content::Text)));
    let began = Instant::now();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.tick().await;
    let mut known = platform.callbacks.taken().len();
    let mut earlier = Totals::now(platform, &pace).await?;
    let mut seen = Vec::new();
    loop {
        tokio::select! {
            posted = &mut posting => {
                posted?;
                say_tables(platform).await?;
                return Ok(seen);
            }
            _ = look.tick() => {
                let callbacks = platform.callbacks.taken().lines_from(known);
                known += callbacks.len();
                let totals = Totals::now(platform, &pace).await?;
                let latest = see(platform, &callbacks, began, (&earlier, &totals)).await?;
                say(&latest.line());
                earlier = totals;
                seen.push(latest);
                pace.set(rate * speed(&seen));
            }
        }
    }
}

/// How fast the machine is, beside how it was at first. The first look of all sees how it begins.
fn speed(seen: &[Seen]) -> f64 {
    let seen = seen.get(1..).unwrap_or_default();
    let mean = |looks: &[Seen]| {
        let (sum, looks) = looks.iter().fold((0.0, 0.0), |(sum, looks), it| {
            (sum + it.load_ms, looks + 1.0)
        });
        sum / looks
    };
    let (first, _) = seen.split_at(LATEST.min(seen.len()));
    let (_, latest) = seen.split_at(seen.len().saturating_sub(LATEST));
    if first.len() < LATEST {
        1.0
    } else {
        mean(first) / mean(latest)
    }
}

/// What is counted from the beginning on.
struct Totals {
    at: Instant,
    posted: u64,
    usage: Usage,
    pressure: Pressure,
    wal_bytes: u64,
    full_pages: u64,
    checkpoints: u64,
}

impl Totals {
    async fn now(platform: &Platform, pace: &Pace) -> anyhow::Result<Self> {
        let totals = "SELECT wal_bytes::bigint, wal_fpi, checkpoints_timed + checkpoints_req \
             FROM pg_stat_wal, pg_stat_bgwriter";
        let [wal_bytes, full_pages, checkpoints] = numbers(platform, totals).await?;
        Ok(Self {
            at: Instant::now(),
            posted: pace.passed(),
            usage: Usage::now()?,
            pressure: Pressure::now(),
            wal_bytes,
            full_pages,
            checkpoints,
        })
    }
}

async fn see(
    platform: &Platform,
    callbacks: &[Callback],
    began: Instant,
    (earlier, totals): (&Totals, &Totals),
) -> anyhow::Result<Seen> {
    let mut waits = histogram()?;
    for (callback, accepted_at) in reads(callbacks) {
        let wait = callback.at.timestamp_millis() - accepted_at;
        waits.saturating_record(u64::try_from(wait * 1000).unwrap_or(1));
    }
    let memory = |service: Service| mebibytes(totals.usage.memory_bytes(service.name()));
    let table = "SELECT (SELECT count(*) FROM work), pg_total_relation_size('work'), \
         (SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'work')";
    let [work, work_table, dead_rows] = numbers(platform, table).await?;
    let since = totals.at - earlier.at;
    let awaited = totals.pressure.since(&earlier.pressure, since);
    let posted = as_f64(totals.posted - earlier.posted);
    let used = totals.usage.since(&earlier.usage);
    let load = used.get("bench").copied().unwrap_or_default();
    Ok(Seen {
        seconds: (totals.at - began).as_secs_f64(),
        posted_per_second: posted / since.as_secs_f64(),
        // Some of it is for posts, the rest for what becomes of them: by the mean of both.
        load_ms: load * 1e3 / f64::midpoint(posted, as_f64(waits.len())),
        read_per_second: as_f64(waits.len()) / since.as_secs_f64(),
        p50_ms: micros_to_millis(waits.value_at_quantile(0.5)),
        p99_ms: micros_to_millis(waits.value_at_quantile(0.99)),
        services: Service::ALL.map(memory).to_vec(),
        work: as_f64(work),
        queued: as_f64(queued(platform).await?),
        work_table: mebibytes(work_table),
        dead_rows: as_f64(dead_rows),
        processors_awaited: awaited.processors,
        disk_awaited: awaited.disk,
        wal: mebibytes(totals.wal_bytes - earlier.wal_bytes),
        full_pages: as_f64(totals.full_pages - earlier.full_pages),
        checkpoints: as_f64(totals.checkpoints),
    })
}

/// Messages that lie in the broker's queues, as it counts them every five seconds.
async fn queued(platform: &Platform) -> anyhow::Result<u64> {
    let totals = platform
        .servers
        .management(Method::GET, "/overview")
        .await?;
    Ok(totals
        .pointer("/queue_totals/messages")
        .and_then(Value::as_u64)
        .unwrap_or_default())
}

/// The numbers in the one row that a query answers with.
async fn numbers<const N: usize>(platform: &Platform, query: &str) -> anyhow::Result<[u64; N]> {
    let row = platform.servers.sql(query).await?;
    let numbers: Vec<u64> = row
        .trim()
        .split('|')
        .filter_map(|it| it.trim().parse().ok())
        .collect();
    numbers
        .try_into()
        .map_err(|_| anyhow::anyhow!("not {N} numbers: {row}"))
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
    let body: Value = serde_json::from_str(body).ok()?;
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

/// What was seen, drawn, with the drawings' names.
pub(crate) fn drawings(seen: &[Seen]) -> [(&'static str, String); 6] {
    let instants: Vec<f64> = seen.iter().map(|it| it.seconds).collect();
    let series = |name: &'static str, of: &dyn Fn(&Seen) -> f64| Series {
        name,
        values: seen.iter().map(of).collect(),
    };
    let rate = [
        series("posted", &|it| it.posted_per_second),
        series("read", &|it| it.read_per_second),
    ];
    let latency = [
        series("p99", &|it| it.p99_ms),
        series("p50", &|it| it.p50_ms),
    ];
    let mut memory = vec![series("all services", &Seen::all_services)];
    memory.extend(Service::ALL.iter().enumerate().map(|(place, service)| {
        series(service.name(), &|it| {
            it.services.get(place).copied().unwrap_or_default()
        })
    }));
    let queues = [
        series("work, rows", &|it| it.work),
        series("in the broker", &|it| it.queued),
    ];
    let table = [
        series("MiB with indexes", &|it| it.work_table),
        series("dead, thousands", &|it| it.dead_rows / 1000.0),
    ];
    let awaited = [
        series("processors", &|it| it.processors_awaited),
        series("disk", &|it| it.disk_awaited),
    ];
    let draw = |title, series: &[Series]| svg(title, &instants, series);
    [
        ("rate", draw("Texts a second", &rate)),
        ("latency", draw("From accepted to read, ms", &latency)),
        ("memory", draw("Memory, MiB", &memory)),
        ("queues", draw("What is to be done", &queues)),
        ("table", draw("The work table", &table)),
        (
            "awaited",
            draw("Time in which something waited, percent", &awaited),
        ),
    ]
}
