//! The auditor's command line. Exit codes: 0 every promise was kept, 1 one was not, 2 bad usage or an unreadable ledger.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use auditor::{Ledgers, audit};
use clap::Parser;
use secrecy::SecretString;

/// Says what a run under faults lost, duplicated, left unresolved or got wrong.
#[derive(Parser)]
#[command(name = "auditor", version)]
struct Arguments {
    /// The folder of the run's ledgers.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// The pipeline's database, as its owner.
    #[arg(long, value_name = "URL")]
    database: SecretString,
    /// Where to write the verdict as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("auditor: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every promise was kept.
async fn run(arguments: &Arguments) -> Result<bool, Box<dyn std::error::Error>> {
    let ledgers = Ledgers::read(&arguments.run, &arguments.database).await?;
    let verdict = audit(&ledgers);
    if let Some(path) = &arguments.report {
        fs::write(path, verdict.to_json())
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    write!(io::stdout(), "{verdict}")?;
    Ok(verdict.is_ok())
}
