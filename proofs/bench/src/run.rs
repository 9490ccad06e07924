use std::{fs, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use queue::Queue;
use reqwest::Method;
use stage::{Lab, Plan, Platform, Policy, Servers, Service, say};
use tokio::time::Instant;

use crate::{
    load::{Answered, Load, as_f64, drive, micros_to_millis},
    options::Options,
    report::{Goal, Report},
    scenarios::{
        accept::{self, Posts},
        idle,
        ingest::{self, Webhooks},
        lifecycle,
    },
    yardsticks,
};

/// Their numbers may send as fast as it goes.
const LABS: usize = 16;
/// Reports in a second of the lifecycle's goal.
const LIFECYCLES: f64 = 1_000.0;
/// Headers as they are kept of a webhook.
const HEADERS: &str = r#"[["user-agent", "facebookexternalua"]]"#;

struct Bench {
    options: Options,
    platform: Platform,
    webhooks: Arc<Webhooks>,
    report: Report,
}

/// One run, from the first process to the table.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let path = options.report.clone();
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    let platform = start(&options, &folder).await?;
    let webhooks = Arc::new(Webhooks::new(&platform));
    let mut bench = Bench {
        options,
        platform,
        webhooks,
        report: Report::default(),
    };
    bench.idle().await?;
    bench.ingest(&folder).await?;
    bench.accept().await?;
    bench.lifecycle().await?;
    bench.report.print();
    bench.report.write(&path)?;
    Ok(if bench.report.is_met() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn start(options: &Options, folder: &Path) -> anyhow::Result<Platform> {
    let files = folder.join("files");
    fs::create_dir_all(&files)?;
    let plan = Plan {
        labs: (0..LABS).map(lab).collect(),
        replicas: |_| 1,
        settings: vec![("LABWIRE_POSTGRES__MAX_CONNECTIONS", "16".to_owned())],
        files: fs::canonicalize(&files)?,
        folder: folder.to_owned(),
        relays: false,
    };
    let http = reqwest::Client::builder().build()?;
    let servers = Servers::new(options.servers.clone(), http);
    Platform::start(plan, servers).await
}

fn lab(index: usize) -> Lab {
    Lab {
        index,
        rate_per_second: 1000,
        burst: 1000,
        policy: Policy::Park,
    }
}

impl Bench {
    fn load(&self) -> Load {
        let measured = Duration::from_secs(self.options.seconds);
        Load {
            connections: self.options.connections,
            warm_up: measured / 4,
            measured,
            rate: None,
            expected: 200,
        }
    }

    async fn idle(&mut self) -> anyhow::Result<()> {
        if !self.options.wants("idle") {
            return Ok(());
        }
        let samples = self.options.samples;
        let warm_up = samples / 5;
        idle::measure(&self.platform, (0, warm_up)).await?;
        let waits = idle::measure(&self.platform, (warm_up, samples)).await?;
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
    async fn ingest(&mut self, folder: &Path) -> anyhow::Result<()> {
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
        let stored = ingest::measure(&self.platform, Arc::clone(&self.webhooks), load).await?;
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

    async fn accept(&mut self) -> anyhow::Result<()> {
        if !self.options.wants("accept") {
            return Ok(());
        }
        let inserts = self.report.value("pgbench: single inserts");
        let platform = &self.platform;
        let sender = platform.replicas(Service::Sender).first();
        let mut sender = sender.context("there is a sender")?.hold().await;
        sender.kill().await?;
        let posts = Posts::new(platform)?;
        let load = self.load();
        let small = accept::measure(platform, &posts, (2_000, load)).await?;
        let large = accept::measure(platform, &posts, (200 * 1024, load)).await?;
        let report = &mut self.report;
        let value = ("accept: reports of 2 kB", small.per_second, "per s");
        report.add(value, inserts, Goal::AtLeast(1.0));
        let value = ("accept: p99", small.millis(0.99), "ms");
        report.add(value, None, Goal::None);
        let value = ("accept: reports of 200 KiB", large.per_second, "per s");
        report.add(value, inserts, Goal::None);
        // Nobody is to send them.
        let forget = "DELETE FROM work WHERE kind = 'send'";
        platform.servers.sql(forget).await?;
        sender.start(&[])
    }

    async fn lifecycle(&mut self) -> anyhow::Result<()> {
        if !self.options.wants("lifecycle") {
            return Ok(());
        }
        let posts = Posts::new(&self.platform)?.from(1 << 30);
        let connections = self.options.connections;
        lifecycle::measure(&self.platform, &posts, (1_000, connections)).await?;
        let count = self.options.seconds * 1_000;
        let all_the_way = lifecycle::measure(&self.platform, &posts, (count, connections)).await?;
        let value = ("lifecycle: accepted to callback", all_the_way, "per s");
        self.report.add(value, None, Goal::AtLeast(LIFECYCLES));
        Ok(())
    }
}

/// What the yardsticks have published means nothing to the workers.
async fn purge(platform: &Platform) -> anyhow::Result<()> {
    let path = format!("/queues/%2F/{}/contents", Queue::Events.name());
    platform.servers.management(Method::DELETE, &path).await?;
    say("bench: the yardsticks are through");
    Ok(())
}
