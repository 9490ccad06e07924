use std::{fs, path::Path};

use anyhow::Context as _;
use serde_json::Value;

/// What `limits` measured in a run of its own: most above rate and burst in any window, least of a rate that was used, and how
/// much longer a single report took beside another lab's backlog.
pub(crate) struct Limits {
    pub(crate) excess: f64,
    pub(crate) used_percent: f64,
    pub(crate) loaded_p99_ms: f64,
    pub(crate) idle_p99_ms: f64,
}

impl Limits {
    /// `None` if it was not run.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let Ok(text) = fs::read_to_string(path) else {
            return Ok(None);
        };
        let report: Value = serde_json::from_str(&text)?;
        let numbers = report.pointer("/numbers").and_then(Value::as_array);
        let numbers = numbers.context("a report of limits without numbers")?;
        let all = |name: &str| {
            let values = numbers.iter().filter_map(|it| it.get(name)?.as_f64());
            values.collect::<Vec<f64>>()
        };
        let fairness = |name: &str| {
            let value = report.get("fairness").and_then(|it| it.get(name)?.as_f64());
            value.with_context(|| format!("a report of limits without {name}"))
        };
        Ok(Some(Self {
            excess: all("excess").into_iter().fold(f64::MIN, f64::max),
            used_percent: 100.0 * all("utilisation").into_iter().fold(f64::MAX, f64::min),
            loaded_p99_ms: fairness("loaded_p99_ms")?,
            idle_p99_ms: fairness("idle_p99_ms")?,
        }))
    }
}
