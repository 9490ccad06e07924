//! Named points at which a process can be made to die, or a handler to panic: so that a crash at the worst instant is a test
//! and not luck. Armed by the environment variable `FAILPOINTS` in debug builds; release builds contain none of it.
//! Must not know who uses it.

#[cfg_attr(
    not(debug_assertions),
    expect(dead_code, reason = "a plan is read, and nothing goes by it")
)]
mod plan;

pub use plan::{BadPlan, Plan};

#[cfg(debug_assertions)]
mod armed {
    use std::{io::Write as _, process, sync::LazyLock, thread, time::Duration};

    use crate::plan::{Act, Plan};

    /// How long a request is given to be written before its process dies.
    const SOON: Duration = Duration::from_millis(50);

    #[expect(
        clippy::disallowed_methods,
        reason = "not configuration: a release build does not read it"
    )]
    static PLAN: LazyLock<Plan> = LazyLock::new(|| {
        let text = std::env::var("FAILPOINTS").unwrap_or_default();
        text.parse().unwrap_or_else(|error| {
            // A plan that is misread would prove the wrong thing.
            say(&format!("FAILPOINTS: {error}"));
            process::abort()
        })
    });

    pub(crate) fn reach(point: &str) {
        if PLAN.hit(point) {
            die(point);
        }
    }

    pub(crate) fn reach_soon(point: &'static str) {
        if PLAN.hit(point) {
            thread::spawn(move || {
                #[expect(clippy::disallowed_methods, reason = "this thread exists to wait")]
                thread::sleep(SOON);
                die(point);
            });
        }
    }

    pub(crate) fn look_at(point: &str, bytes: &[u8]) {
        match PLAN.poisoned(point, bytes) {
            None => {}
            Some(Act::Abort) => die(point),
            #[expect(clippy::panic, reason = "that is what it is for")]
            Some(Act::Panic) => panic!("failpoint {point}"),
        }
    }

    fn die(point: &str) -> ! {
        say(&format!("failpoint {point}: this process ends here"));
        process::abort()
    }

    fn say(text: &str) {
        // Straight to the descriptor: nothing that is buffered survives what comes next.
        std::io::stderr()
            .write_all(format!("{text}\n").as_bytes())
            .ok();
    }
}

/// The process dies here, without any clean-up, if the point is armed.
#[inline]
pub fn reach(point: &'static str) {
    #[cfg(debug_assertions)]
    armed::reach(point);
    #[cfg(not(debug_assertions))]
    let _ = point;
}

/// The process dies a moment after this, if the point is armed: a request that is begun here will have been written.
#[inline]
pub fn reach_soon(point: &'static str) {
    #[cfg(debug_assertions)]
    armed::reach_soon(point);
    #[cfg(not(debug_assertions))]
    let _ = point;
}

/// Dies or panics if the bytes contain the marker that the point is armed with: what they are from is poison.
#[inline]
pub fn look_at(point: &'static str, bytes: &[u8]) {
    #[cfg(debug_assertions)]
    armed::look_at(point, bytes);
    #[cfg(not(debug_assertions))]
    let _ = (point, bytes);
}
