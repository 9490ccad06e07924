use std::{fs, path::Path};

use serde::Serialize;
use stage::say;

/// How a value must stand to its goal.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Shown for orientation.
    None,
}

/// One measured value. With a yardstick its ratio is what the goal is about, otherwise the value itself.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) yardstick: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Goal,
    pub(crate) met: bool,
}

#[derive(Default, Serialize)]
pub(crate) struct Report {
    pub(crate) results: Vec<Measured>,
}

impl Report {
    pub(crate) fn add(
        &mut self,
        (name, value, unit): (&'static str, f64, &'static str),
        yardstick: Option<f64>,
        goal: Goal,
    ) {
        let ratio = yardstick.map(|it| value / it);
        let judged = ratio.unwrap_or(value);
        let met = match goal {
            Goal::AtLeast(least) => judged >= least,
            Goal::AtMost(most) => judged <= most,
            Goal::None => true,
        };
        let measured = Measured {
            name,
            value,
            unit,
            yardstick,
            ratio,
            goal,
            met,
        };
        say(&line(&measured));
        self.results.push(measured);
    }

    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        let found = self.results.iter().find(|it| it.name == name);
        found.map(|it| it.value)
    }

    pub(crate) fn is_met(&self) -> bool {
        self.results.iter().all(|it| it.met)
    }

    pub(crate) fn print(&self) {
        say(
            "\nwhat                                     value unit        yardstick   ratio goal     met",
        );
        for measured in &self.results {
            say(&line(measured));
        }
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)?)?;
        Ok(())
    }
}

fn line(measured: &Measured) -> String {
    let number = |it: Option<f64>| it.map_or_else(String::new, |it| format!("{it:.2}"));
    let goal = match measured.goal {
        Goal::AtLeast(least) => format!(">= {least}"),
        Goal::AtMost(most) => format!("<= {most}"),
        Goal::None => String::new(),
    };
    let met = match (measured.goal, measured.met) {
        (Goal::None, _) => "",
        (_, true) => "yes",
        (_, false) => "no",
    };
    format!(
        "{:<36} {:>10.2} {:<10} {:>10} {:>7} {:<8} {met}",
        measured.name,
        measured.value,
        measured.unit,
        number(measured.yardstick),
        number(measured.ratio),
        goal
    )
}
