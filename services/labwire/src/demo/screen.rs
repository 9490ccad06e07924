use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// How often progress is told where lines cannot be rewritten.
const SPARSE: Duration = Duration::from_secs(5);

/// The one place that writes to standard output: lines that stay, and one that is rewritten while something goes on.
pub(super) struct Screen {
    out: io::Stdout,
    started: Instant,
    rewrites: bool,
    is_dirty: bool,
    progress_at: Option<Instant>,
}

impl Screen {
    pub(super) fn new() -> Self {
        let out = io::stdout();
        Self {
            started: Instant::now(),
            rewrites: out.is_terminal(),
            out,
            is_dirty: false,
            progress_at: None,
        }
    }

    /// A line that stays.
    pub(super) fn line(&mut self, text: &str) {
        self.wipe();
        self.write(&format!("{text}\n"));
    }

    /// A line that stays, with the time since the start.
    pub(super) fn step(&mut self, text: &str) {
        let text = self.timed(text);
        self.line(&text);
        self.progress_at = Some(Instant::now());
    }

    /// A line that the next one replaces; where that is impossible, one now and then.
    pub(super) fn progress(&mut self, text: &str) {
        if self.rewrites {
            let text = self.timed(text);
            self.wipe();
            self.write(&text);
            self.is_dirty = true;
        } else if self.progress_at.is_none_or(|at| at.elapsed() >= SPARSE) {
            self.step(text);
        }
    }

    fn timed(&self, text: &str) -> String {
        format!("{:5.1} s  {text}", self.started.elapsed().as_secs_f64())
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.is_dirty) {
            self.write("\r\x1b[K");
        }
    }

    fn write(&mut self, text: &str) {
        // A reader who has gone away does not end the demo.
        let _nobody_reads = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
    }
}
