//! `labwire demo`: three fictional labs, their LIMS and their patients, played against the real services in this process.
//! Knows the platform as a LIMS does, by its API and its callbacks; must not look into its database.

mod api;
mod cast;
mod lims;
mod pace;
pub mod reports;
mod screen;
mod stage;
mod summary;
mod traffic;
mod verdict;
mod watch;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use secrecy::SecretString;
use service_runtime::{
    Lifecycle,
    config::{Settings as _, Source, TelemetryConfig},
    telemetry,
};

use screen::Screen;
use stage::Stage;
use verdict::Verdict;

/// How long what is under way may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// How the demo is to be played.
#[derive(Args)]
pub(crate) struct Options {
    /// Stay up afterwards, until Ctrl-C, and print where to look.
    #[arg(long)]
    keep: bool,
    /// An empty database for the demo alone, as its owner.
    #[arg(
        long,
        env = "LABWIRE_TEST_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    database_url: SecretString,
    /// Where the result goes as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/demo/report.json")]
    report: PathBuf,
    /// Level of the services' logs; what matters for the story, the display tells.
    #[arg(
        long,
        env = "LABWIRE_TELEMETRY__LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "warn"
    )]
    log_level: String,
}

/// Plays the demo. Exit codes: 0 if all went as it must, 1 if not or if it was interrupted.
pub(crate) fn main(options: &Options) -> ExitCode {
    let mut screen = Screen::new();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("runtime")
        .and_then(|runtime| {
            let result = runtime.block_on(perform(options, &mut screen));
            runtime.shutdown_background();
            result
        });
    match result {
        Ok(ending) => {
            screen.line(&ending.last_line);
            ending.code
        }
        Err(error) => {
            screen.line(&format!("demo: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What is said last, when everything else is quiet.
struct Ending {
    last_line: String,
    code: ExitCode,
}

impl From<&Verdict> for Ending {
    fn from(verdict: &Verdict) -> Self {
        Self {
            last_line: verdict.last_line(),
            code: if verdict.is_good() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            },
        }
    }
}

async fn perform(options: &Options, screen: &mut Screen) -> anyhow::Result<Ending> {
    let level = ("LABWIRE_TELEMETRY__LOG_LEVEL", options.log_level.as_str());
    telemetry::init(&TelemetryConfig::from_source(&Source::from_pairs([level]))?);
    let lifecycle = Lifecycle::from_signals()?;
    // It outlives the services, however they end.
    let files = tempfile::tempdir().context("a directory for report files")?;
    let played = tokio::select! {
        biased;
        () = lifecycle.draining() => None,
        played = Box::pin(play(options, files.path(), &lifecycle, screen)) => Some(played),
    };
    if options.keep
        && let Some(Ok(_)) = &played
    {
        lifecycle.draining().await;
    }
    let ended = lifecycle.shutdown(GRACE).await;
    let Some(verdict) = played.transpose()? else {
        ended?;
        return Ok(Ending {
            last_line: "demo: interrupted".to_owned(),
            code: ExitCode::FAILURE,
        });
    };
    ended?;
    Ok(Ending::from(&verdict))
}

async fn play(
    options: &Options,
    files: &Path,
    lifecycle: &Lifecycle,
    screen: &mut Screen,
) -> anyhow::Result<Verdict> {
    let stage = Stage::set(&options.database_url, files, lifecycle, screen).await?;
    let reports = traffic::prepare(&stage.labs, screen).await?;
    let posted = traffic::post(&stage, reports, screen).await?;
    let messages = watch::until_settled(&stage, &posted, screen).await?;
    let verdict = Verdict::of(&stage, &posted, &messages);
    summary::show(&stage, &verdict, &posted, screen).await?;
    summary::write(&verdict, &options.report)?;
    if options.keep {
        summary::show_around(&stage, &posted, files, screen)?;
    }
    Ok(verdict)
}
