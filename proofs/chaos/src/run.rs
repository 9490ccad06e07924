use std::{
    fs,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, ensure};
use serde_json::json;
use stage::{Servers, say, write_lines};
use tokio::process::Command;

use crate::{
    drain::drain,
    faults::Fault,
    leaks,
    operator::Operator,
    options::Options,
    schedule::{self, Episode},
    traffic,
    world::World,
};

/// One run, from the first process to the verdict.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let Some(faults) = chosen(options.fault.as_deref())? else {
        return Ok(ExitCode::SUCCESS);
    };
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let folder = options.report.parent().unwrap_or(Path::new("."));
    let ledgers = folder.join("ledgers");
    fs::create_dir_all(&ledgers)?;
    for old in fs::read_dir(&ledgers)?.flatten() {
        fs::remove_file(old.path())?;
    }
    let servers = Servers::new(options.servers.clone(), reqwest::Client::builder().build()?);
    say(&format!(
        "chaos: seed {seed}, {} faults, each {} times, at least {} reports",
        faults.len(),
        options.episodes,
        options.reports
    ));
    let world = World::set_up(servers, &ledgers).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let pace = (options.rate, options.reports);
    let traffic = traffic::flow(Arc::clone(&world), pace, Arc::clone(&stop));
    let (played, posted) = tokio::join!(
        async {
            let played = schedule::play(&world, &faults, options.episodes, seed).await;
            say("chaos: all faults are over");
            stop.store(true, Ordering::Relaxed);
            played
        },
        traffic
    );
    let episodes = played?;
    say(&format!("chaos: {posted} reports are posted; draining"));
    let operator = Operator::default();
    drain(&world, &operator).await?;
    write_ledgers(&world, &ledgers, (seed, &faults, &episodes), &operator)?;
    let verdict = audit(&world, &ledgers, &options.report).await?;
    let leaks = leaks::find(&world)?;
    for leak in leaks.iter().take(20) {
        say(&format!("chaos: a log names a patient or a secret: {leak}"));
    }
    Ok(if leaks.is_empty() {
        verdict
    } else {
        ExitCode::FAILURE
    })
}

/// The faults that were asked for; `None` when only their names were.
fn chosen(name: Option<&str>) -> anyhow::Result<Option<Vec<Fault>>> {
    let all = Fault::all();
    let Some(name) = name else {
        return Ok(Some(all));
    };
    if name == "list" {
        for fault in all {
            say(&fault.name);
        }
        return Ok(None);
    }
    let chosen: Vec<Fault> = all
        .into_iter()
        .filter(|it| it.name.contains(name))
        .collect();
    ensure!(
        !chosen.is_empty(),
        "no fault is called {name:?}: --fault list prints their names"
    );
    Ok(Some(chosen))
}

fn write_ledgers(
    world: &World,
    folder: &Path,
    (seed, faults, episodes): (u64, &[Fault], &[Episode]),
    operator: &Operator,
) -> anyhow::Result<()> {
    let platform = &world.platform;
    let labs = platform.labs.iter().zip(&platform.registered);
    let labs: Vec<_> = labs
        .map(|(lab, registered)| {
            json!({
                "lab_id": registered.lab_id,
                "policy": lab.policy.as_str(),
                "callback_secret": registered.callback_secret,
                "phone_number_id": lab.phone_number_id(),
            })
        })
        .collect();
    let count = |name: &str| episodes.iter().filter(|it| it.fault == name).count();
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| json!({ "name": fault.name, "episodes": count(&fault.name) }))
        .collect();
    let run = json!({ "seed": seed, "labs": labs, "faults": faults, "episodes": episodes });
    fs::write(folder.join("run.json"), run.to_string())?;
    write_lines(&folder.join("lims.ndjson"), platform.lims.ledger().lines())?;
    write_lines(&folder.join("provider.ndjson"), platform.provider.ledger())?;
    write_lines(
        &folder.join("callbacks.ndjson"),
        platform.callbacks.taken().lines(),
    )?;
    write_lines(
        &folder.join("operator.ndjson"),
        operator.decisions().lines(),
    )
}

/// The auditor's own program: it shares no code with what it judges, nor with us.
async fn audit(world: &World, ledgers: &Path, report: &Path) -> anyhow::Result<ExitCode> {
    let own = std::env::current_exe()?;
    let status = Command::new(own.with_file_name("auditor"))
        .arg("--run")
        .arg(ledgers)
        .arg("--database")
        .arg(world.platform.servers.database_url())
        .arg("--report")
        .arg(report)
        .status()
        .await
        .context("the auditor cannot be started: cargo build --bins")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
