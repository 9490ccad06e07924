//! Runs the simulator as a process of its own.

mod cli;

use std::{io::Write, process::ExitCode};

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run(cli::Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "meta-simulator: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}
