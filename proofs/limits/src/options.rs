use std::path::PathBuf;

use clap::Parser;
use stage::ServersOptions;

/// Saturates numbers while senders come and go, buries one tenant under a backlog, and says whether the limits hold.
#[derive(Parser)]
pub(crate) struct Options {
    /// How many messages wait for one tenant while another's are timed.
    #[arg(long, value_name = "COUNT", default_value_t = 200_000)]
    pub(crate) backlog: u32,
    /// How many single reports are timed each time.
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    pub(crate) samples: usize,
    /// Where the result goes as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/limits/report.json")]
    pub(crate) report: PathBuf,
    #[command(flatten)]
    pub(crate) servers: ServersOptions,
}
