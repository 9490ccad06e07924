use std::{fs, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use queue::Queue;
use reqwest::Method;
use stage::{Lab, Plan, Platform, Policy, Servers, Service, say};
use tokio::time::Instant;

use crate::{
    load::{Answered, Load, as_f64, drive, micros_to_millis},
    meter::Meter,
    options::Options,
    report::{Goal, Report},
    scenarios::{
        accept::{self, Content, Posts},
        idle,
        ingest::{self, Webhooks},
        lifecycle,
    },
    usage::Usage,
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
    bench.memory(("memory: idle, the largest service", 40.0))?;
    bench.idle().await?;
    bench.ingest(&folder).await?;
    bench.accept().await?;
    bench.lifecycle().await?;
    bench.memory(("memory: after load, the largest service", 200.0))?;
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
        settings: vec![
            ("LABWIRE_POSTGRES__MAX_CONNECTIONS", "6".to_owned()),
            // Seven programs share two processors.
            ("TOKIO_WORKER_THREADS", "1".to_owned()),
        ],
        files: fs::canonicalize(&files)?,
        folder: folder.to_owned(),
        relays: false,
    };
    let http = reqwest::Client::builder().build()?;
    let servers = Servers::new(options.servers.clone(), http);
    // Who connects from now on is counted.
    let count = "ALTER DATABASE labwire SET pg_stat_statements.track = top";
    servers.sql(count).await?;
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

    fn memory(&mut self, (name, mebibytes): (&'static str, f64)) -> anyhow::Result<()> {
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
        let small = accept::measure(platform, &posts, (Content::Text, load)).await?;
        let large = (Content::pdf(200 * 1024), load);
        let large = accept::measure(platform, &posts, large).await?;
        let report = &mut self.report;
        let value = ("accept: texts", small.per_second, "per s");
        report.add(value, inserts, Goal::AtLeast(1.0));
        let value = ("accept: p99", small.millis(0.99), "ms");
        report.add(value, None, Goal::None);
        let value = ("accept: PDFs of 200 KiB", large.per_second, "per s");
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
        let count = self.options.seconds * 1_000;
        let contents = [
            ("lifecycle: texts", Content::Text, Goal::AtLeast(LIFECYCLES)),
            ("lifecycle: PDFs of 2 kB", Content::pdf(2_000), Goal::None),
        ];
        for (name, content, goal) in contents {
            lifecycle::measure(&self.platform, &posts, (&content, 1_000, connections)).await?;
            let meter = Meter::start(&self.platform.servers).await?;
            let load = (&content, count, connections);
            let all_the_way = lifecycle::measure(&self.platform, &posts, load).await?;
            self.report.add((name, all_the_way, "per s"), None, goal);
            meter.stop(&self.platform.servers, count).await?.print();
        }
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
