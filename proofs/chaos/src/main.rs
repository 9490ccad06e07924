//! `chaos`: thousands of reports through real processes while everything around them breaks, and then the audit.
//! Injects faults and keeps the ledgers; must not judge: the auditor does.

mod drain;
mod faults;
mod leaks;
mod operator;
mod options;
mod run;
mod schedule;
mod traffic;
mod world;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let options = options::Options::parse();
    stage::exit_code("chaos", run::run(options).await)
}
