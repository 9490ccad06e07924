use std::{fs, path::Path, process::ExitCode, time::Duration};

use stage::{Lab, Plan, Platform, Policy, Servers, Service, say};

use crate::{
    backlog::{self, Originals},
    fairness::{self, report},
    options::Options,
    report::Report,
    saturation,
};

/// Rates and bursts of the numbers that are saturated; together well below what two cores send.
const SATURATED: [(u32, u32); 4] = [(2, 2), (5, 5), (8, 3), (10, 20)];
/// How long what was sent may take to come to its end.
pub(crate) const END: Duration = Duration::from_mins(2);
/// Seconds for which each of them has work.
const SUPPLY: u32 = 120;

/// Who takes part in the second half.
pub(crate) struct Cast {
    /// Sends single reports.
    pub(crate) single: Lab,
    /// Has the backlog.
    pub(crate) buried: Lab,
    /// Has bulk work, and reports of its own.
    pub(crate) bulk: Lab,
    pub(crate) originals: Originals,
}

/// One run, from the first process to the verdict.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let folder = options.report.parent().unwrap_or(Path::new("."));
    let files = folder.join("files");
    fs::create_dir_all(&files)?;
    let servers = Servers::new(options.servers.clone(), reqwest::Client::builder().build()?);
    let mut labs: Vec<Lab> = Vec::new();
    for (rate, burst) in SATURATED.into_iter().chain([(80, 80), (20, 20), (10, 10)]) {
        labs.push(lab(labs.len(), rate, burst));
    }
    let plan = Plan {
        labs: labs.clone(),
        replicas: |service| if service == Service::Sender { 3 } else { 1 },
        settings: settings(),
        files: fs::canonicalize(&files)?,
        folder: folder.to_owned(),
        relays: false,
    };
    let platform = Platform::start(plan, servers).await?;
    let mut others = labs.split_off(SATURATED.len()).into_iter();
    let numbers = labs;
    let (Some(single), Some(buried), Some(bulk)) = (others.next(), others.next(), others.next())
    else {
        anyhow::bail!("there are too few labs");
    };

    for sender in platform.replicas(Service::Sender) {
        sender.hold().await.kill().await?;
    }
    let everyone = 0..SATURATED.len() + 3;
    let firsts = everyone.map(|lab| report(lab, "first")).collect();
    let originals = Originals::take(&platform, firsts).await?;
    for number in &numbers {
        let supply = number.rate_per_second * SUPPLY;
        originals
            .add_reports(&platform, number.index, supply)
            .await?;
    }
    say("limits: every number has more to send than it may; two senders start");
    let seen = saturation::measure(&platform, &numbers).await?;
    for number in &numbers {
        backlog::clear(&platform, number.index).await?;
    }
    platform.until_done(END).await?;
    let cast = Cast {
        single,
        buried,
        bulk,
        originals,
    };
    let fairness = fairness::measure(&platform, &cast, (options.backlog, options.samples)).await?;
    let report = Report::new(seen, fairness);
    report.print();
    report.write(&options.report)?;
    Ok(if report.met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn lab(index: usize, rate_per_second: u32, burst: u32) -> Lab {
    Lab {
        index,
        rate_per_second,
        burst,
        policy: Policy::Park,
    }
}

/// No limit to a recipient: all copies go to one. The rest is as it comes.
fn settings() -> Vec<(&'static str, String)> {
    let settings = [
        ("LABWIRE_SENDER__PAIR_RATE", "1000000"),
        ("LABWIRE_SENDER__PAIR_BURST", "1000000"),
        ("LABWIRE_POSTGRES__MAX_CONNECTIONS", "8"),
    ];
    settings
        .map(|(name, value)| (name, value.to_owned()))
        .into()
}
