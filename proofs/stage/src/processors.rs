use std::fs;

use anyhow::Context as _;

/// What the processors of this machine have done, in ticks, as the kernel counts it: `proc_stat(5)`.
#[derive(Debug, Clone, Copy)]
pub struct Processors {
    /// Not idle, and not waiting for a disk.
    wanted: u64,
    /// Of that: what the host gave to others.
    stolen: u64,
}

impl Processors {
    pub fn now() -> anyhow::Result<Self> {
        read(&fs::read_to_string("/proc/stat")?).context("/proc/stat does not say what was stolen")
    }

    /// Of the time that was wanted since then, the share that the host gave to others, in percent. A timing during which it
    /// is large says more about the host than about the program.
    #[expect(clippy::cast_precision_loss, reason = "ticks of some minutes")]
    pub fn stolen_since(&self, earlier: &Self) -> f64 {
        let stolen = self.stolen.saturating_sub(earlier.stolen);
        let wanted = self.wanted.saturating_sub(earlier.wanted);
        100.0 * stolen as f64 / wanted.max(1) as f64
    }
}

fn read(stat: &str) -> Option<Processors> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, stolen, ..] = *ticks.as_slice() else {
        return None;
    };
    Some(Processors {
        wanted: user + nice + system + irq + softirq + stolen,
        stolen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_time_that_was_wanted() {
        let earlier = read("cpu  10 0 10 500 7 0 0 5 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n").unwrap();
        let later = read("cpu  40 0 30 900 9 5 5 25 3 0\n").unwrap();
        assert!((later.stolen_since(&earlier) - 25.0).abs() < 1e-9);
        assert!(later.stolen_since(&later).abs() < 1e-9);
        assert!(read("cpu  1 2 3\n").is_none());
    }
}
