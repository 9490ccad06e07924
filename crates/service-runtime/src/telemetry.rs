//! Logs on stderr and the metrics recorder, each set up once in a process however often asked.
//! Knows no metric and no span by name.

use std::{
    io::{self, IsTerminal as _},
    panic,
    sync::{Once, OnceLock},
    time::Duration,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::fmt;

use crate::config::{LogFormat, TelemetryConfig};

const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

static LOGS: Once = Once::new();
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Sends logs to stderr. The first call decides the format; the others, as in tests, change nothing.
pub fn init(config: &TelemetryConfig) {
    LOGS.call_once(|| {
        let builder = fmt()
            .with_env_filter(config.log_level.to_env_filter())
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal());
        // Fails if the process has a subscriber of its own already: then that one is wanted.
        let _already_set = match config.log_format {
            LogFormat::Text => builder.try_init(),
            LogFormat::Json => builder.json().flatten_event(true).try_init(),
        };
        panic::set_hook(Box::new(log_panic));
    });
}

/// The recorder that `metrics::counter!` and its like write to. Installed at the first call.
pub fn metrics() -> PrometheusHandle {
    METRICS.get_or_init(install_recorder).clone()
}

/// Keeps the histograms small. Runs until dropped.
pub(crate) async fn upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        metrics.run_upkeep();
    }
}

fn install_recorder() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .expect("the list of buckets is not empty")
        .build_recorder();
    let handle = recorder.handle();
    if ::metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed: /metrics stays empty");
    }
    handle
}

fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    // A literal is ours; a formatted message may quote a patient.
    let message = info
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("(not shown)");
    tracing::error!(location, "panicked at {location}: {message}");
}
