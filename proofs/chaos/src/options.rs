use std::path::PathBuf;

use clap::Parser;
use stage::ServersOptions;

/// Breaks everything that can break while reports flow, and lets the auditor say what became of them.
#[derive(Parser)]
pub(crate) struct Options {
    /// The same seed orders the same faults; without one a new one is drawn, and printed.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Only this fault; `list` prints their names.
    #[arg(long, value_name = "NAME")]
    pub(crate) fault: Option<String>,
    /// How often each fault is injected.
    #[arg(long, value_name = "TIMES", default_value_t = 5)]
    pub(crate) episodes: usize,
    /// At least so many reports.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    pub(crate) reports: usize,
    /// Reports a second.
    #[arg(long, value_name = "RATE", default_value_t = 22.0)]
    pub(crate) rate: f64,
    /// Where the result goes as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/chaos/report.json")]
    pub(crate) report: PathBuf,
    #[command(flatten)]
    pub(crate) servers: ServersOptions,
}
