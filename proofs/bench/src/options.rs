use std::path::PathBuf;

use clap::Parser;
use stage::ServersOptions;

/// Measures the platform, and its yardsticks in the same run.
#[derive(Parser)]
pub(crate) struct Options {
    /// Seconds for which each throughput is measured, after a quarter of it to warm up.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Connections that ask at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub(crate) connections: usize,
    /// How many single reports are timed.
    #[arg(long, value_name = "COUNT", default_value_t = 300)]
    pub(crate) samples: usize,
    /// Minutes of endurance, which is not among what is measured unless it is asked for by its name.
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    pub(crate) minutes: u64,
    /// Also says what the services' connections to the database waited for; looking costs a little.
    #[arg(long)]
    pub(crate) waits: bool,
    /// Only scenarios and yardsticks whose names contain this.
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Option<String>,
    /// Where the result goes as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/bench/report.json")]
    pub(crate) report: PathBuf,
    #[command(flatten)]
    pub(crate) servers: ServersOptions,
}

impl Options {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }
}
