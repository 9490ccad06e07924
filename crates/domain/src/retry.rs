use std::borrow::Cow;
use std::time::Duration;

/// How long to wait after each failed attempt, and when to give up. Valid once constructed.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrySchedule(Delays);

#[derive(Debug, Clone, PartialEq)]
enum Delays {
    Exponential {
        first: Duration,
        factor: f64,
        max_delay: Duration,
        max_attempts: u32,
    },
    Steps(Cow<'static, [Duration]>),
}

/// How long something is left alone that was tried in vain: `first`, then `factor` times as long each time in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    pub first: Duration,
    pub factor: f64,
    pub longest: Duration,
}

impl Backoff {
    pub const fn doubling(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            factor: 2.0,
            longest,
        }
    }

    /// The same every time.
    pub const fn constant(pause: Duration) -> Self {
        Self {
            first: pause,
            factor: 1.0,
            longest: pause,
        }
    }

    /// The pause after that many others in a row.
    pub fn after(&self, others: u32) -> Duration {
        let exponent = i32::try_from(others).unwrap_or(i32::MAX);
        scaled(self.first, self.factor.powi(exponent)).min(self.longest)
    }

    /// What Meta asks for after errors of the pair limit: 4^n seconds, n from 0; no longer than 17 minutes (4^5).
    pub const fn pair() -> Self {
        Self {
            first: Duration::from_secs(1),
            factor: 4.0,
            longest: Duration::from_secs(1024),
        }
    }
}

/// Why a retry schedule makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    #[error("the first delay must be longer than zero")]
    NoFirstDelay,
    #[error("the factor must be a number of at least 1")]
    ShrinkingFactor,
    #[error("the longest delay must not be shorter than the first")]
    MaxBelowFirst,
    #[error("at least one attempt is needed")]
    NoAttempts,
    #[error("every step must be longer than zero, and there must be one")]
    EmptyStep,
}

/// The share of a delay by which jitter moves it either way.
const JITTER: f64 = 0.2;

const CALLBACK_STEPS: &[Duration] = &[
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

impl RetrySchedule {
    /// `first`, then each `factor` times the last, up to `max_delay`; `max_attempts` counts the first try.
    pub fn exponential(
        first: Duration,
        factor: f64,
        max_delay: Duration,
        max_attempts: u32,
    ) -> Result<Self, InvalidSchedule> {
        if first.is_zero() {
            return Err(InvalidSchedule::NoFirstDelay);
        }
        if !factor.is_finite() || factor < 1.0 {
            return Err(InvalidSchedule::ShrinkingFactor);
        }
        if max_delay < first {
            return Err(InvalidSchedule::MaxBelowFirst);
        }
        if max_attempts == 0 {
            return Err(InvalidSchedule::NoAttempts);
        }
        Ok(Self(Delays::Exponential {
            first,
            factor,
            max_delay,
            max_attempts,
        }))
    }

    /// One delay after each failed attempt: `n` steps allow `n + 1` attempts.
    pub fn steps(steps: Vec<Duration>) -> Result<Self, InvalidSchedule> {
        if steps.is_empty() || steps.iter().any(Duration::is_zero) {
            return Err(InvalidSchedule::EmptyStep);
        }
        Ok(Self(Delays::Steps(Cow::Owned(steps))))
    }

    /// Ten attempts over about 75 hours: a LIMS may be down over a weekend.
    pub const fn callbacks() -> Self {
        Self(Delays::Steps(Cow::Borrowed(CALLBACK_STEPS)))
    }

    pub const fn sends() -> Self {
        Self(Delays::Exponential {
            first: Duration::from_secs(1),
            factor: 3.0,
            max_delay: Duration::from_mins(10),
            max_attempts: 8,
        })
    }

    pub const fn events() -> Self {
        Self(Delays::Exponential {
            first: Duration::from_secs(1),
            factor: 4.0,
            max_delay: Duration::from_mins(15),
            max_attempts: 12,
        })
    }

    /// How long to wait after attempt number `attempt` (from 1) failed; `None` when it was the last.
    /// `jitter`, uniform in 0..1, spreads the delay by ±20 %, also beyond `max_delay`.
    pub fn delay(&self, attempt: u32, jitter: f64) -> Option<Duration> {
        let retries_before = attempt.saturating_sub(1);
        let delay = match &self.0 {
            Delays::Exponential {
                first,
                factor,
                max_delay,
                max_attempts,
            } => {
                if attempt >= *max_attempts {
                    return None;
                }
                let exponent = i32::try_from(retries_before).unwrap_or(i32::MAX);
                scaled(*first, factor.powi(exponent)).min(*max_delay)
            }
            Delays::Steps(steps) => *steps.get(usize::try_from(retries_before).ok()?)?,
        };
        Some(scaled(
            delay,
            1.0 - JITTER + 2.0 * JITTER * jitter.clamp(0.0, 1.0),
        ))
    }
}

fn scaled(delay: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(delay.as_secs_f64() * by).unwrap_or(Duration::MAX)
}
