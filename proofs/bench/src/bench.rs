use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use queue::Queue;
use reqwest::Method;
use stage::{Platform, Service, say};
use tokio::time::Instant;

use crate::{
    load::{Answered, Load, as_f64, drive, micros_to_millis},
    meter::Meter,
    options::Options,
    report::{Goal, Report},
    scenarios::{
        accept::{self, Content, Posts},
        endurance::{self, Seen},
        history, idle,
        ingest::{self, Webhooks},
        lifecycle,
        limits::Limits,
        recovery,
        steady::{self, Stream},
    },
    usage::Usage,
    yardsticks,
};

/// Reports in a second of the lifecycle's goal.
const LIFECYCLES: f64 = 1_000.0;
/// How much dearer a message may be among many tenants, or beside a long history.
const DEARER: f64 = 1.2;
/// Of the most that is possible, what must be endured.
const ENDURED: f64 = 0.8;
/// Texts that are under way at a time when the most of a steady stream is looked for.
const UNDER_WAY: usize = 1_000;
/// Reports by which the cost of one is told.
const COUNTED: u64 = 4_000;
/// How often the cost of each of several cases is told.
const ROUNDS: usize = 3;
/// The same where the cases differ by less than the machine from one minute to the next.
const MORE_ROUNDS: usize = 5;
/// Reports that pile up in an outage.
const BACKLOG: u64 = 100_000;
/// Headers as they are kept of a webhook.
const HEADERS: &str = r#"[["user-agent", "facebookexternalua"]]"#;

/// A platform under measurement.
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) platform: Platform,
    pub(crate) webhooks: Arc<Webhooks>,
    /// Of some labs, unless it is about their number.
    pub(crate) posts: Posts,
    pub(crate) posts_of_all: Posts,
    pub(crate) report: Report,
}

impl Bench {
    fn load(&self) -> Load {
        let measured = Duration::from_secs(self.options.seconds);
        Load {
            connections: self.options.connections,
            warm_up: measured / 4,
            measured,
            pace: None,
            expected: 200,
        }
    }

    async fn meter(&self) -> anyhow::Result<Meter> {
        Meter::start(&self.platform.servers, self.options.waits).await
    }

    pub(crate) fn memory(&mut self, (name, mebibytes): (&'static str, f64)) -> anyhow::Result<()> {
        if !self.options.wants("memory") {
            return Ok(());
        }
        let usage = Usage::now()?;
        let services = Service::ALL.into_iter();
        let bytes = services.map(|service| usage.memory_bytes(service.name()));
        let largest = as_f64(bytes.max().unwrap_or_default()) / f64::from(1 << 20);
        let value = (name, largest, "MiB");
        self.report.add(value, None, Goal::AtMost(mebibytes));
        Ok(())
    }

    pub(crate) async fn idle(&mut self) -> anyhow::Result<()> {
        if !self.options.wants("idle") {
            return Ok(());
        }
        let samples = self.options.samples;
        let warm_up = samples / 5;
        idle::measure(&self.platform, (0, warm_up)).await?;
        let meter = self.meter().await?;
        let waits = idle::measure(&self.platform, (warm_up, samples)).await?;
        let cost = meter.stop(&self.platform.servers, u64::try_from(samples)?);
        cost.await?.print();
        let mut add = |name, quantile, goal| {
            let value = micros_to_millis(waits.value_at_quantile(quantile));
            self.report
                .add((name, value, "ms"), None, Goal::AtMost(goal));
        };
        add("idle: accept to Graph API call, p50", 0.50, 10.0);
        add("idle: accept to Graph API call, p99", 0.99, 50.0);
        Ok(())
    }

    /// With the yardsticks that it is measured by.
    pub(crate) async fn ingest(&mut self, folder: &Path) -> anyhow::Result<()> {
        if !self.options.wants("ingest") && !self.options.wants("accept") {
            return Ok(());
        }
        let platform = &self.platform;
        let worker = platform.replicas(Service::StatusWorker).first();
        let mut worker = worker.context("there is a status-worker")?.hold().await;
        worker.kill().await?;
        let typical = (HEADERS, self.webhooks.typical.as_slice());
        let place = (&platform.servers, folder);
        let inserts = yardsticks::postgres::single_inserts(place, &self.options, typical).await?;
        let report = &mut self.report;
        let none = Goal::None;
        report.add(("pgbench: single inserts", inserts, "per s"), None, none);
        if !self.options.wants("ingest") {
            worker.start(&[])?;
            return Ok(());
        }
        let amqp_url = platform.servers.amqp_url();
        let publishes = yardsticks::broker::publishes(amqp_url, self.options.seconds).await?;
        report.add(("RabbitMQ: confirmed", publishes, "per s"), None, none);
        let naive = self.naive().await?.per_second;
        let report = &mut self.report;
        report.add(("naive: webhooks durable", naive, "per s"), None, none);
        purge(&self.platform).await?;

        let load = self.load();
        let meter = self.meter().await?;
        let stored = ingest::measure(&self.platform, Arc::clone(&self.webhooks), load).await?;
        let cost = meter.stop(&self.platform.servers, stored.requests).await?;
        let report = &mut self.report;
        let value = ("ingest: webhooks durable", stored.per_second, "per s");
        report.add(value, Some(inserts), Goal::AtLeast(1.5));
        let value = ("ingest: p99", stored.millis(0.99), "ms");
        report.add(value, None, Goal::AtMost(250.0));
        let value = (
            "ingest: beside the naive pipeline",
            stored.per_second,
            "per s",
        );
        report.add(value, Some(naive), none);
        cost.print();

        let waiting = self
            .platform
            .servers
            .sql("SELECT count(*) FROM work")
            .await?;
        let waiting: u64 = waiting.trim().parse()?;
        let began = Instant::now();
        worker.start(&[])?;
        drop(worker);
        self.platform.until_done(lifecycle::PATIENCE).await?;
        let drained = as_f64(waiting) / began.elapsed().as_secs_f64();
        let report = &mut self.report;
        report.add(("recovery: webhooks folded", drained, "per s"), None, none);
        Ok(())
    }

    async fn naive(&self) -> anyhow::Result<Answered> {
        let servers = &self.platform.servers;
        let urls = (servers.database_url(), servers.amqp_url());
        let secret = self.platform.provider.app_secret().clone();
        let naive = yardsticks::naive::start(urls, secret, self.options.connections).await?;
        let webhooks = Arc::clone(&self.webhooks);
        drive(naive.address, self.load(), move |it| webhooks.get(it)).await
    }

    pub(crate) async fn accept(&mut self) -> anyhow::Result<()> {
        if !self.options.wants("accept") {
            return Ok(());
        }
        let inserts = self.report.value("pgbench: single inserts");
        let platform = &self.platform;
        let sender = platform.replicas(Service::Sender).first();
        let mut sender = sender.context("there is a sender")?.hold().await;
        sender.kill().await?;
        let posts = &self.posts;
        let load = self.load();
        let meter = self.meter().await?;
        let small = accept::measure(platform, posts, (Content::Text, load.clone())).await?;
        let cost = meter.stop(&platform.servers, small.requests).await?;
        let large = (Content::pdf(200 * 1024), load);
        let large = accept::measure(platform, posts, large).await?;
        let report = &mut self.report;
        let value = ("accept: texts", small.per_second, "per s");
        report.add(value, inserts, Goal::AtLeast(1.0));
        let value = ("accept: p99", small.millis(0.99), "ms");
        report.add(value, None, Goal::None);
        cost.print();
        let value = ("accept: PDFs of 200 KiB", large.per_second, "per s");
        report.add(value, inserts, Goal::None);
        // Nobody is to send them.
        let forget = "DELETE FROM work WHERE kind = 'send'";
        platform.servers.sql(forget).await?;
        sender.start(&[])
    }

    pub(crate) async fn lifecycle(&mut self) -> anyhow::Result<()> {
        if !self.options.wants("lifecycle") {
            return Ok(());
        }
        let posts = &self.posts;
        let connections = self.options.connections;
        let count = self.options.seconds * 1_000;
        let contents = [
            ("lifecycle: texts", Content::Text, Goal::AtLeast(LIFECYCLES)),
            ("lifecycle: PDFs of 2 kB", Content::pdf(2_000), Goal::None),
        ];
        for (name, content, goal) in contents {
            lifecycle::measure(&self.platform, posts, (&content, 1_000, connections)).await?;
            let meter = self.meter().await?;
            let load = (&content, count, connections);
            let all_the_way = lifecycle::measure(&self.platform, posts, load).await?;
            self.report.add((name, all_the_way, "per s"), None, goal);
            meter.stop(&self.platform.servers, count).await?.print();
        }
        Ok(())
    }

    /// A stream that is as fast as it is carried, and not faster: a crowd that is posted at once shares more of its way.
    pub(crate) async fn steady(&mut self) -> anyhow::Result<f64> {
        let stream = Stream {
            connections: self.options.connections,
            under_way: UNDER_WAY,
            warm_up: Duration::from_secs(15),
            measured: Duration::from_secs(45),
        };
        let meter = self.meter().await?;
        let carried = steady::measure(&self.platform, &self.posts, stream).await?;
        let value = ("steady: texts", carried.per_second, "per s");
        self.report.add(value, None, Goal::AtLeast(LIFECYCLES));
        let cost = meter.stop(&self.platform.servers, carried.texts).await?;
        cost.print();
        Ok(carried.per_second)
    }

    /// What a message costs when so many tenants send.
    pub(crate) async fn tenants(&mut self) -> anyhow::Result<()> {
        if !self.options.wants("tenants") {
            return Ok(());
        }
        let cases = [
            ("tenants: a message among 10", 10),
            ("tenants: a message among 1,000", 1_000),
            ("tenants: a message among 10,000", 10_000),
        ];
        // In turn: a machine that becomes slower meanwhile is slower for all of a round.
        let mut rounds = Vec::with_capacity(MORE_ROUNDS);
        for round in 0..MORE_ROUNDS {
            let mut costs = Vec::with_capacity(cases.len());
            for (_, labs) in cases {
                let first = if round == 0 { u64::try_from(labs)? } else { 0 };
                costs.push(self.cost(labs, first).await?);
            }
            rounds.push(costs);
        }
        for (case, (name, _)) in cases.into_iter().enumerate() {
            let of_round = |costs: &Vec<f64>| Some((*costs.get(case)?, *costs.first()?));
            let (cost, few) = median(rounds.iter().filter_map(of_round));
            let few = (case > 0).then_some(few);
            self.report.add((name, cost, "ms of CPU"), few, dearer(few));
        }
        Ok(())
    }

    /// What a message costs beside so many earlier ones, in turn with the same where there are few.
    pub(crate) async fn history(&mut self) -> anyhow::Result<()> {
        if !self.options.wants("history") {
            return Ok(());
        }
        // One of them is what the history is made of.
        let some = (&Content::Text, 100, self.options.connections);
        lifecycle::measure(&self.platform, &self.posts, some).await?;
        self.platform.stop().await?;
        history::copy(&self.platform.servers).await?;
        self.platform.start_on(history::GROWN).await?;
        let mut earlier = 0;
        for (name, messages) in [
            ("history: a message after 1,000,000", 1_000_000),
            ("history: a message after 10,000,000", 10_000_000),
        ] {
            history::grow(&self.platform, (earlier, messages)).await?;
            earlier = messages;
            let mut rounds = Vec::with_capacity(ROUNDS);
            for _ in 0..ROUNDS {
                let long = self.cost(10, 10).await?;
                self.turn_to(history::SHORT).await?;
                rounds.push((long, self.cost(10, 10).await?));
                self.turn_to(history::GROWN).await?;
            }
            let (long, short) = median(rounds.into_iter());
            let value = (name, long, "ms of CPU");
            let short = Some(short);
            self.report.add(value, short, dearer(short));
        }
        self.turn_to(history::SHORT).await
    }

    /// The services go on with another database.
    async fn turn_to(&mut self, database: &str) -> anyhow::Result<()> {
        self.platform.stop().await?;
        self.platform.start_on(database).await
    }

    /// Milliseconds of CPU for one message of so many labs in turn, of all programs but those of the provider and the LIMS.
    /// So many are sent before: each lab has sent one when it is counted.
    async fn cost(&self, labs: usize, first: u64) -> anyhow::Result<f64> {
        let posts = &self.posts_of_all.of(labs);
        let (platform, connections) = (&self.platform, self.options.connections);
        let first = first.max(COUNTED / 4);
        lifecycle::measure(platform, posts, (&Content::Text, first, connections)).await?;
        let meter = self.meter().await?;
        let load = (&Content::Text, COUNTED, connections);
        lifecycle::measure(platform, posts, load).await?;
        let cost = meter.stop(&platform.servers, COUNTED).await?;
        say(&format!("  among {labs}"));
        cost.print();
        Ok(cost.of_the_platform())
    }

    pub(crate) async fn recovery(&mut self) -> anyhow::Result<()> {
        if !self.options.wants("recovery") {
            return Ok(());
        }
        let backlog = (BACKLOG, self.options.connections);
        let sent = recovery::measure(&self.platform, &self.posts, backlog).await?;
        let value = ("recovery: reports of a backlog", sent, "per s");
        self.report.add(value, None, Goal::None);
        Ok(())
    }

    /// Ten minutes at four fifths of what is possible: is all as it was at the beginning?
    pub(crate) async fn endurance(&mut self, folder: &Path) -> anyhow::Result<()> {
        let connections = self.options.connections;
        let most = self.steady().await?;
        let lasting = Duration::from_secs(60 * self.options.minutes);
        let load = (most * ENDURED, lasting, connections);
        say(&format!("  {:.0} texts a second", most * ENDURED));
        let seen = endurance::measure(&self.platform, &self.posts, load).await?;
        fs::write(
            folder.join("endurance.json"),
            serde_json::to_string_pretty(&seen)?,
        )?;
        for (name, drawing) in endurance::drawings(&seen) {
            fs::write(folder.join(format!("endurance-{name}.svg")), drawing)?;
        }
        // The first look sees how it begins.
        let (early, late) = seen.split_at(seen.len() / 2);
        let mean = |looks: &[Seen], of: fn(&Seen) -> f64| {
            let sum: f64 = looks.iter().map(of).sum();
            sum / as_f64(u64::try_from(looks.len().max(1)).unwrap_or(1))
        };
        let early = early.get(1..).unwrap_or_default();
        let report = &mut self.report;
        let mut add = |name, unit, of: fn(&Seen) -> f64| {
            let value = (name, mean(late, of), unit);
            report.add(value, Some(mean(early, of)), Goal::AtMost(DEARER));
        };
        add("endurance: p50, later", "ms", |it| it.p50_ms);
        add("endurance: memory of all, later", "MiB", Seen::all_services);
        add("endurance: the work table, later", "MiB", |it| {
            it.work_table
        });
        Ok(())
    }

    /// What a run of its own found out.
    pub(crate) fn limits(&mut self, path: &Path) -> anyhow::Result<()> {
        if !self.options.wants("limits") && !self.options.wants("fairness") {
            return Ok(());
        }
        let Some(found) = Limits::read(path)? else {
            return Ok(());
        };
        let report = &mut self.report;
        let value = (
            "limits: most above rate and burst",
            found.excess,
            "messages",
        );
        report.add(value, None, Goal::AtMost(0.0));
        let value = ("limits: least of a rate used", found.used_percent, "%");
        report.add(value, None, Goal::AtLeast(95.0));
        let value = ("fairness: p99 beside 200,000", found.loaded_p99_ms, "ms");
        report.add(value, Some(found.idle_p99_ms), Goal::AtMost(2.0));
        Ok(())
    }
}

/// The one of these costs, each with what it is compared with, whose ratio is in the middle.
fn median(costs: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let mut costs: Vec<(f64, f64)> = costs.collect();
    // Where all are compared with themselves, by what they are.
    costs.sort_by(|one, other| {
        let ratio = |(cost, base): &(f64, f64)| cost / base;
        let by_cost = one.0.total_cmp(&other.0);
        ratio(one).total_cmp(&ratio(other)).then(by_cost)
    });
    costs.get(costs.len() / 2).copied().unwrap_or_default()
}

/// What is compared with an earlier cost has a goal.
fn dearer(earlier: Option<f64>) -> Goal {
    earlier.map_or(Goal::None, |_| Goal::AtMost(DEARER))
}

/// What the yardsticks have published means nothing to the workers.
async fn purge(platform: &Platform) -> anyhow::Result<()> {
    let path = format!("/queues/%2F/{}/contents", Queue::Events.name());
    platform.servers.management(Method::DELETE, &path).await?;
    say("bench: the yardsticks are through");
    Ok(())
}
