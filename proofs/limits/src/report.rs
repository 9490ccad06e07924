use std::{fs, path::Path};

use serde::Serialize;
use stage::say;

/// What was measured, and whether it is as it must be.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) numbers: Vec<NumberSeen>,
    pub(crate) fairness: Fairness,
    pub(crate) met: bool,
}

/// What the provider saw of one saturated number.
#[derive(Serialize)]
pub(crate) struct NumberSeen {
    pub(crate) rate_per_second: u32,
    pub(crate) burst: u32,
    pub(crate) requests: usize,
    /// Of all windows, the worst: how many above burst + rate × length. Not above zero.
    pub(crate) excess: f64,
    pub(crate) most_in_1_s: usize,
    pub(crate) most_in_10_s: usize,
    /// Of what the rate allows, while senders joined and left.
    pub(crate) utilisation: f64,
    /// The same while one was killed: its share rests until its lease is over.
    pub(crate) utilisation_with_a_kill: f64,
}

/// Milliseconds from the post of a single report to its arrival at the provider.
#[derive(Serialize)]
pub(crate) struct Fairness {
    pub(crate) backlog: u32,
    pub(crate) samples: usize,
    pub(crate) idle_p50_ms: f64,
    pub(crate) idle_p99_ms: f64,
    pub(crate) loaded_p50_ms: f64,
    pub(crate) loaded_p99_ms: f64,
    pub(crate) ratio: f64,
    /// Of the processors' time that was wanted beside the backlog, what the host gave to others.
    pub(crate) stolen_percent: f64,
    /// On a number with bulk work waiting.
    pub(crate) behind_bulk_p50_ms: f64,
    pub(crate) behind_bulk_p99_ms: f64,
    /// What one may wait there: twice the idle wait and a token.
    pub(crate) behind_bulk_limit_ms: f64,
}

impl Report {
    pub(crate) fn new(numbers: Vec<NumberSeen>, fairness: Fairness) -> Self {
        let kept = |number: &NumberSeen| number.excess <= 0.0 && number.utilisation >= 0.95;
        let fair =
            fairness.ratio <= 2.0 && fairness.behind_bulk_p99_ms <= fairness.behind_bulk_limit_ms;
        let met = numbers.iter().all(kept) && fair;
        Self {
            numbers,
            fairness,
            met,
        }
    }

    pub(crate) fn print(&self) {
        say("rate/s  burst  requests  excess  most in 1 s  in 10 s  used  used with a kill");
        for number in &self.numbers {
            say(&format!(
                "{:>6} {:>6} {:>9} {:>7.2} {:>12} {:>8} {:>4.1}% {:>15.1}%",
                number.rate_per_second,
                number.burst,
                number.requests,
                number.excess,
                number.most_in_1_s,
                number.most_in_10_s,
                number.utilisation * 100.0,
                number.utilisation_with_a_kill * 100.0
            ));
        }
        let fairness = &self.fairness;
        say(&format!(
            "single reports: idle p50 {:.1} ms p99 {:.1} ms; beside a backlog of {} p50 {:.1} ms p99 {:.1} ms; ratio {:.2} ({:.0}% of the processors stolen)",
            fairness.idle_p50_ms,
            fairness.idle_p99_ms,
            fairness.backlog,
            fairness.loaded_p50_ms,
            fairness.loaded_p99_ms,
            fairness.ratio,
            fairness.stolen_percent
        ));
        say(&format!(
            "reports on a number with bulk waiting: p50 {:.1} ms p99 {:.1} ms, at most {:.1} ms",
            fairness.behind_bulk_p50_ms, fairness.behind_bulk_p99_ms, fairness.behind_bulk_limit_ms
        ));
        say(if self.met {
            "limits: kept, used and fair"
        } else {
            "limits: a goal was missed"
        });
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)?)?;
        Ok(())
    }
}
