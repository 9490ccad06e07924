//! `bench`: what the platform does in a second and how long one report takes, beside what the machine's database and broker
//! can do at best, and beside a pipeline built without thought. All in one run: only the ratios mean something.

mod bench;
mod client;
mod load;
mod meter;
mod options;
mod plot;
mod report;
mod run;
mod scenarios;
mod usage;
mod waits;
mod yardsticks;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// One thread, as each of the services has: eight programs share two processors.
#[tokio::main(worker_threads = 1)]
async fn main() -> ExitCode {
    let options = options::Options::parse();
    stage::exit_code("bench", run::run(options).await)
}
