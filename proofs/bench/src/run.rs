use std::{fs, path::Path, process::ExitCode, sync::Arc};

use stage::{Lab, Plan, Platform, Policy, Processors, Servers};

use crate::{
    bench::Bench,
    options::Options,
    report::{Goal, Report},
    scenarios::{accept::Posts, ingest::Webhooks},
};

/// Tenants, unless it is about their number. Their numbers may send as fast as it goes.
const LABS: usize = 16;
/// Tenants when it is about their number.
const MANY_LABS: usize = 10_000;

/// One run, from the first process to the table.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let path = options.report.clone();
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    let platform = start(&options, &folder).await?;
    let began = Processors::now()?;
    let posts_of_all = Posts::new(&platform)?;
    let mut bench = Bench {
        webhooks: Arc::new(Webhooks::new(&platform)),
        posts: posts_of_all.of(LABS),
        posts_of_all,
        options,
        platform,
        report: Report::default(),
    };
    bench.memory(("memory: idle, the largest service", 40.0))?;
    bench.idle().await?;
    bench.ingest(&folder).await?;
    bench.accept().await?;
    bench.lifecycle().await?;
    if bench.options.wants("steady") {
        bench.steady().await?;
    }
    bench.tenants().await?;
    bench.recovery().await?;
    bench.memory(("memory: after load, the largest service", 200.0))?;
    // The services are started anew for it.
    bench.history().await?;
    bench.limits(&folder.join("limits.json"))?;
    if bench.options.only.as_deref() == Some("endurance") {
        bench.endurance(&folder).await?;
    }
    let stolen = Processors::now()?.stolen_since(&began);
    let value = ("the host: processor time taken", stolen, "%");
    bench.report.add(value, None, Goal::None);
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
    // An earlier run's reports, which its database knew.
    if files.exists() {
        fs::remove_dir_all(&files)?;
    }
    fs::create_dir_all(&files)?;
    let labs = if options.wants("tenants") {
        MANY_LABS
    } else {
        LABS
    };
    let plan = Plan {
        labs: (0..labs).map(lab).collect(),
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
