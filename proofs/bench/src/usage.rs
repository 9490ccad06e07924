//! What the programs of a run use, as the kernel counts it (proc(5)).

use std::{collections::BTreeMap, fs, time::Duration};

/// The programs of a run. All of that name on the machine are counted.
const PROGRAMS: [&str; 8] = [
    "api-gateway",
    "webhook-ingest",
    "sender",
    "status-worker",
    "callback-worker",
    "postgres",
    "beam.smp",
    // With the provider and the LIMS in it.
    "bench",
];
/// Ticks in a second: `USER_HZ`, the same on every Linux.
const TICKS: f64 = 100.0;

/// CPU seconds and memory, by program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage(BTreeMap<&'static str, Used>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) cpu_seconds: f64,
    /// Resident, of all its processes together; shared pages count in each.
    pub(crate) memory_bytes: u64,
}

impl Usage {
    pub(crate) fn now() -> anyhow::Result<Self> {
        let mut usage = Self::default();
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            // A process may end while it is looked at.
            let Ok(stat) = fs::read_to_string(path.join("stat")) else {
                continue;
            };
            let Some((program, used)) = read(&stat) else {
                continue;
            };
            let all = usage.0.entry(program).or_default();
            all.cpu_seconds += used.cpu_seconds;
            all.memory_bytes += used.memory_bytes;
        }
        Ok(usage)
    }

    /// CPU seconds since then, by program.
    pub(crate) fn since(&self, earlier: &Self) -> BTreeMap<&'static str, f64> {
        let used = |usage: &Self, program| usage.0.get(program).map_or(0.0, |it| it.cpu_seconds);
        let programs = self.0.keys().copied();
        programs
            .map(|program| (program, used(self, program) - used(earlier, program)))
            .collect()
    }

    pub(crate) fn memory_bytes(&self, program: &str) -> u64 {
        self.0.get(program).map_or(0, |it| it.memory_bytes)
    }
}

/// A line of /proc/<pid>/stat: the name in parentheses, then fields by place.
fn read(stat: &str) -> Option<(&'static str, Used)> {
    let (_, rest) = stat.split_once('(')?;
    let (name, fields) = rest.rsplit_once(')')?;
    let program = PROGRAMS.into_iter().find(|it| *it == name)?;
    let field = |place: usize| {
        let text = fields.split_whitespace().nth(place)?;
        text.parse::<u64>().ok()
    };
    // utime and stime are fields 14 and 15 of the line, rss (pages) is 24; two of them are before the parenthesis ends.
    let ticks = u32::try_from(field(11)? + field(12)?).ok()?;
    Some((
        program,
        Used {
            cpu_seconds: f64::from(ticks) / TICKS,
            memory_bytes: field(21)? * 4096,
        },
    ))
}

/// For how long something has waited for a processor, and for the disk, since the machine was started (PSI,
/// <https://docs.kernel.org/accounting/psi.html>). Nothing where the kernel does not count it.
pub(crate) struct Pressure {
    processors: Duration,
    disk: Duration,
}

/// In how much of some time something waited, percent.
pub(crate) struct Awaited {
    pub(crate) processors: f64,
    pub(crate) disk: f64,
}

impl Pressure {
    pub(crate) fn now() -> Self {
        Self {
            processors: pressure("cpu").unwrap_or_default(),
            disk: pressure("io").unwrap_or_default(),
        }
    }

    pub(crate) fn since(&self, earlier: &Self, time: Duration) -> Awaited {
        let share = |total: Duration, earlier| {
            100.0 * total.saturating_sub(earlier).as_secs_f64() / time.as_secs_f64()
        };
        Awaited {
            processors: share(self.processors, earlier.processors),
            disk: share(self.disk, earlier.disk),
        }
    }
}

/// The line of `some`: shares, then the total in microseconds.
fn pressure(of: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/pressure/{of}")).ok()?;
    let some = text.lines().find(|it| it.starts_with("some"))?;
    let (_, total) = some.rsplit_once("total=")?;
    total.trim().parse().ok().map(Duration::from_micros)
}
