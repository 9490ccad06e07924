//! `limits`: whether every number's limit is kept and used while senders come and go, and whether one tenant's backlog
//! leaves the others alone. Judges by what the provider saw; shares nothing with the token bucket.

mod backlog;
mod fairness;
mod options;
mod report;
mod run;
mod saturation;
mod windows;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let options = options::Options::parse();
    stage::exit_code("limits", run::run(options).await)
}
