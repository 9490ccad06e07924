use std::{
    error::Error,
    io::Write as _,
    iter::successors,
    path::{Path, PathBuf},
    process::ExitCode,
};

use axum::Router;
use clap::{Arg, Command, value_parser};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    Lifecycle, admin,
    config::{Faults, RuntimeConfig, Setting, SettingDefault, Settings, Source},
    listener, telemetry,
};

const BAD_CONFIGURATION: u8 = 2;

/// The whole of a service's `main`: `--config FILE` and `--help`, then [`start`].
pub fn main<C, F, Fut>(name: &'static str, run: F) -> ExitCode
where
    C: Settings,
    F: FnOnce(C, Lifecycle) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let command = Command::new(name)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(settings_help(&all_settings::<C>()))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("TOML file of settings; the environment goes first"),
        );
    let arguments = command.get_matches();
    start(
        name,
        arguments.get_one::<PathBuf>("config").map(PathBuf::as_path),
        run,
    )
}

/// Reads the configuration, sets up telemetry and the admin port, runs, and drains. For binaries with a command line
/// of their own; `run` may end when it has spawned its tasks, or last as long as the service does.
///
/// Exit codes: 0 after an orderly end, 1 after a failure, 2 if the configuration is at fault.
pub fn start<C, F, Fut>(name: &'static str, file: Option<&Path>, run: F) -> ExitCode
where
    C: Settings,
    F: FnOnce(C, Lifecycle) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (source, runtime_config, config) = match read::<C>(file) {
        Ok(read) => read,
        Err(report) => return complain(name, &report),
    };
    telemetry::init(&runtime_config.telemetry);
    for unknown in source.unknown(&all_settings::<C>()) {
        tracing::warn!("{unknown}");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failure(name, &error.into()),
    };
    let outcome = runtime.block_on(live(name, runtime_config, |lifecycle| {
        run(config, lifecycle)
    }));
    // What blocks a thread still has been given up already; waiting for it would outlast the grace period.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(name, &error),
    }
}

async fn live<F, Fut>(name: &'static str, config: RuntimeConfig, run: F) -> anyhow::Result<()>
where
    F: FnOnce(Lifecycle) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let lifecycle = Lifecycle::from_signals()?;
    let admin_listener = listener(config.admin.listen).await?;
    tracing::info!(address = %admin_listener.local_addr()?, "{name} starts; admin port open");
    let metrics = telemetry::metrics();
    // Outside the lifecycle, so that the port still answers while the rest drains.
    let mut background = JoinSet::new();
    background.spawn(telemetry::upkeep(metrics.clone()));
    background.spawn(serve_admin(
        admin_listener,
        admin::router(lifecycle.clone(), metrics),
    ));
    lifecycle.spawn(name, run(lifecycle.clone()));
    lifecycle.run_until_stopped(config.drain.timeout).await?;
    tracing::info!("{name} ends");
    Ok(())
}

async fn serve_admin(listener: TcpListener, router: Router) {
    if let Err(error) = admin::serve(listener, router).await {
        tracing::error!(%error, "admin port closed");
    }
}

fn read<C: Settings>(file: Option<&Path>) -> Result<(Source, RuntimeConfig, C), String> {
    let source = Source::from_env_and_file(file).map_err(|error| chain(&error))?;
    let mut faults = Faults::default();
    let runtime = RuntimeConfig::read(&source, &mut faults);
    let config = C::read(&source, &mut faults);
    match (runtime, config) {
        (Some(runtime), Some(config)) if faults.is_empty() => Ok((source, runtime, config)),
        _ => Err(report(&faults, &source, &all_settings::<C>())),
    }
}

fn report(faults: &Faults, source: &Source, settings: &[Setting]) -> String {
    let mut lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.extend(source.unknown(settings).iter().map(ToString::to_string));
    lines.join("\n")
}

fn all_settings<C: Settings>() -> Vec<Setting> {
    [C::describe(), RuntimeConfig::describe()].concat()
}

fn settings_help(settings: &[Setting]) -> String {
    let title = "Settings (environment, or [section] key in the file):".to_owned();
    let lines = settings.iter().map(|setting| {
        let default = match setting.default {
            SettingDefault::Required => " (required)".to_owned(),
            SettingDefault::Optional => String::new(),
            SettingDefault::Value(value) => format!(" (default {value})"),
        };
        format!(
            "  {} <{}>{default}\n      {}",
            setting.env(),
            setting.kind,
            setting.doc.trim()
        )
    });
    std::iter::once(title)
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

fn complain(name: &str, report: &str) -> ExitCode {
    // There is no logger yet, and nobody to tell if stderr is closed.
    let _nobody_listens = writeln!(
        std::io::stderr(),
        "{name}: the configuration is at fault\n{report}"
    );
    ExitCode::from(BAD_CONFIGURATION)
}

fn failure(name: &str, error: &anyhow::Error) -> ExitCode {
    tracing::error!("{name} failed: {}", chain(error.as_ref()));
    ExitCode::FAILURE
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
