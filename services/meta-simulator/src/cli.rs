use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Parser;
use meta_simulator::{App, Config, Seed, Timing, start};
use secrecy::SecretString;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

/// A local WhatsApp Cloud API with faults to order.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Args {
    /// Where to listen; port 0 is any free port. The URL is the first line on standard output.
    #[arg(long, env = "META_SIMULATOR_LISTEN", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A seed file; without it and without `--sample` there are no accounts.
    #[arg(
        long,
        env = "META_SIMULATOR_SEED",
        value_name = "FILE",
        conflicts_with = "sample"
    )]
    seed: Option<PathBuf>,
    /// Starts with the sample laboratory.
    #[arg(long, env = "META_SIMULATOR_SAMPLE")]
    sample: bool,
    /// Where the webhooks of the first app go.
    #[arg(long, env = "META_SIMULATOR_WEBHOOK", value_name = "URL")]
    webhook: Option<String>,
    /// The secret of the first app, which is made if the seed has none.
    #[arg(long, env = "META_SIMULATOR_APP_SECRET", hide_env_values = true)]
    app_secret: Option<SecretString>,
    /// What the callback is asked with when it is verified.
    #[arg(long, env = "META_SIMULATOR_VERIFY_TOKEN", hide_env_values = true)]
    verify_token: Option<SecretString>,
    /// Milliseconds from a send to `sent`, `delivered` and `read`.
    #[arg(long, env = "META_SIMULATOR_DELAYS_MS", value_delimiter = ',', num_args = 3, value_names = ["SENT", "DELIVERED", "READ"])]
    delays_ms: Option<Vec<u64>>,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", args.listen))?;
    let simulator = start(config(args)?, listener)?;
    writeln!(io::stdout(), "{}", simulator.base_url())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulator.shutdown().await;
    Ok(())
}

fn config(args: Args) -> Result<Config> {
    let mut seed = match args.seed {
        Some(file) => {
            let text =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            serde_json::from_slice(&text)
                .with_context(|| format!("{} is not a seed", file.display()))?
        }
        None if args.sample => Seed::sample(),
        None => Seed::default(),
    };
    if seed.apps.is_empty()
        && let Some(secret) = &args.app_secret
    {
        seed.apps.push(App::new("100000000000001", secret.clone()));
    }
    if let Some(app) = seed.apps.first_mut() {
        app.app_secret = args.app_secret.unwrap_or_else(|| app.app_secret.clone());
        app.callback_url = args.webhook.or(app.callback_url.take());
        app.verify_token = args.verify_token.or(app.verify_token.take());
    }
    Ok(Config {
        seed,
        timing: timing(args.delays_ms.as_deref()),
        ..Config::default()
    })
}

fn timing(delays_ms: Option<&[u64]>) -> Timing {
    let Some([sent, delivered, read]) = delays_ms else {
        return Timing::default();
    };
    let [sent, delivered, read] = [*sent, *delivered, *read].map(Duration::from_millis);
    Timing {
        sent,
        delivered,
        read,
        failed: delivered,
        ..Timing::default()
    }
}
