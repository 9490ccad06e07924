use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use service_runtime::config::Settings;

use crate::{
    all, demo,
    operator::{
        self, DatabaseConfig,
        dead_letters::{self, DeadLetters},
        unconfirmed::{self, Unconfirmed},
    },
};

/// Lab and hospital reports to patients over WhatsApp.
#[derive(Parser)]
#[command(name = "labwire", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// TOML file of settings; the environment goes first.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run every service in this process: with RabbitMQ if `LABWIRE_AMQP__URL` is set, else with the broker inside the process.
    All,
    /// Bring the database to this version's schema and make the platform's data key. `LABWIRE_POSTGRES__URL` names the owner's role.
    Migrate,
    /// Add a vendor and print its API key, which registers labs. It is shown once.
    AddVendor(operator::AddVendor),
    /// Add an app whose webhooks arrive at /webhooks/meta/<KEY>, or replace its secrets.
    AddApp(operator::AddApp),
    /// Say with which app's token numbers send: when the provider throttles the app, all of them wait.
    AssignApp(operator::AssignApp),
    /// Look after work that was given up.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Look after messages of which nobody knows whether they were sent.
    #[command(subcommand)]
    Unconfirmed(Unconfirmed),
    /// Print new keys of data at rest, as settings.
    GenerateKeys,
    /// Show the main job from start to finish, against the simulator, in a database of its own.
    Demo(demo::Options),
    /// Print the reference of all settings, as Markdown.
    Settings,
}

/// Parses the command line and does what it says. Exit codes: 0 done, 1 failed, 2 bad usage or configuration.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let file = cli.config.as_deref();
    match cli.command {
        Command::All => service_runtime::start("labwire", file, all::run),
        Command::Migrate => once(file, |config: operator::Config| async move {
            operator::migrate(&config).await
        }),
        Command::AddVendor(vendor) => once(file, |config: operator::Config| async move {
            operator::add_vendor(&config, &vendor).await
        }),
        Command::AddApp(app) => once(file, |config: operator::Config| async move {
            operator::add_app(&config, &app).await
        }),
        Command::AssignApp(numbers) => once(file, |config: DatabaseConfig| async move {
            operator::assign_app(&config, &numbers).await
        }),
        Command::DeadLetters(command) => once(file, |config: DatabaseConfig| async move {
            dead_letters::run(&config, command).await
        }),
        Command::Unconfirmed(command) => once(file, |config: DatabaseConfig| async move {
            unconfirmed::run(&config, command).await
        }),
        Command::GenerateKeys => operator::generate_keys(),
        Command::Demo(options) => demo::main(&options),
        Command::Settings => operator::print_settings(),
    }
}

/// A command that does one thing and ends.
fn once<C, F, Fut>(file: Option<&Path>, run: F) -> ExitCode
where
    C: Settings,
    F: FnOnce(C) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    service_runtime::start("labwire", file, |config: C, lifecycle| {
        let done = run(config);
        async move {
            done.await?;
            lifecycle.stop();
            Ok(())
        }
    })
}
