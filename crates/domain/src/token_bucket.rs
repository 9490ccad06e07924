use std::time::Duration;

/// So many a second, after a burst of so many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    per_second: f64,
    burst: u32,
}

/// A rate at which nothing could ever pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate needs a finite number above zero per second and a burst of at least one")]
pub struct InvalidRate;

impl Rate {
    pub fn new(per_second: f64, burst: u32) -> Result<Self, InvalidRate> {
        if per_second.is_finite() && per_second > 0.0 && burst > 0 {
            Ok(Self { per_second, burst })
        } else {
            Err(InvalidRate)
        }
    }

    pub const fn per_second(&self) -> f64 {
        self.per_second
    }

    pub const fn burst(&self) -> u32 {
        self.burst
    }
}

/// Gives out permits that are used some time later, elsewhere. In any window of length `T` at most
/// `burst + rate * T` permits are used, however long each of them lay unused before.
///
/// Tokens and unused permits together never exceed the burst. When a permit was used between two
/// looks is not known, so it counts as unused until the look that reports it: look whenever
/// permits were used. The full rate is reached while `burst >= rate * (time to use + 2 * time between looks)`.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: Rate,
    tokens: f64,
    refilled_at: Duration,
    /// Unused permits as of the last look, and those taken since.
    outstanding: u32,
}

/// Absorbs rounding, so that a token earned to the last digit counts as whole. Never accumulates.
const ROUNDING: f64 = 1e-9;

impl TokenBucket {
    pub fn full(rate: Rate, now: Duration) -> Self {
        Self {
            tokens: f64::from(rate.burst),
            ..Self::empty(rate, now)
        }
    }

    pub const fn empty(rate: Rate, now: Duration) -> Self {
        Self {
            rate,
            tokens: 0.0,
            refilled_at: now,
            outstanding: 0,
        }
    }

    /// A bucket in place of another's that is out of sight: empty, with so many of the other's permits unused.
    pub const fn taken_over(rate: Rate, now: Duration, outstanding: u32) -> Self {
        Self {
            outstanding,
            ..Self::empty(rate, now)
        }
    }

    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether nothing would change if it were forgotten and a full one made when it is needed. No permit lies unused for
    /// longer than `used_within`.
    pub fn is_at_rest(&self, now: Duration, used_within: Duration) -> bool {
        let unused_for = if self.outstanding == 0 {
            Duration::ZERO
        } else {
            used_within
        };
        let earning = now.saturating_sub(self.refilled_at.saturating_add(unused_for));
        let earned = earning.as_secs_f64() * self.rate.per_second;
        self.tokens + earned + ROUNDING >= f64::from(self.rate.burst)
    }

    /// How many tokens fit in beside the permits that lie unused.
    pub const fn room(&self) -> u32 {
        self.rate.burst.saturating_sub(self.outstanding)
    }

    /// Whether so many permits lie unused that less is earned than could be until it is seen that they were used, even if
    /// each token is looked for the moment it is there.
    pub const fn is_held_up(&self) -> bool {
        self.room() < 2
    }

    /// How many permits may be taken now, if `outstanding` of those taken before are still unused.
    pub fn available(&mut self, now: Duration, outstanding: u32) -> u32 {
        self.refill(now, self.outstanding.max(outstanding));
        self.outstanding = outstanding;
        whole(self.tokens + ROUNDING)
    }

    /// Takes permits; more than are available leave a debt that is repaid first.
    pub fn take(&mut self, n: u32) {
        self.tokens -= f64::from(n);
        self.outstanding = self.outstanding.saturating_add(n);
    }

    /// Takes back permits that were not given out after all.
    pub fn put_back(&mut self, n: u32) {
        self.tokens += f64::from(n);
        self.outstanding = self.outstanding.saturating_sub(n);
    }

    /// The instant at which one token will be there if nothing is outstanding; `now` if there is one.
    pub fn next_at(&self, now: Duration) -> Duration {
        self.filled_at(1, now)
    }

    /// The same for several.
    pub fn filled_at(&self, tokens: u32, now: Duration) -> Duration {
        if whole(self.tokens + ROUNDING) >= tokens {
            return now;
        }
        let missing = f64::from(tokens) - self.tokens;
        // A nanosecond more: the division rounds to the nearest one.
        let wait = Duration::try_from_secs_f64(missing / self.rate.per_second)
            .unwrap_or(Duration::MAX)
            .saturating_add(Duration::from_nanos(1));
        self.refilled_at.saturating_add(wait).max(now)
    }

    /// No tokens before `until`; the bucket is empty then.
    pub fn cool_until(&mut self, until: Duration) {
        self.tokens = self.tokens.min(0.0);
        self.refilled_at = self.refilled_at.max(until);
    }

    /// A new rate from `now` on; what was earned so far was earned at the old one.
    pub fn set_rate(&mut self, rate: Rate, now: Duration) {
        self.refill(now, self.outstanding);
        self.rate = rate;
        self.refill(now, self.outstanding);
    }

    fn refill(&mut self, now: Duration, outstanding: u32) {
        let room = f64::from(self.rate.burst.saturating_sub(outstanding));
        let earned = now.saturating_sub(self.refilled_at).as_secs_f64() * self.rate.per_second;
        self.tokens = (self.tokens + earned).min(room);
        self.refilled_at = self.refilled_at.max(now);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates: a debt is zero tokens, and tokens never exceed a u32 burst"
)]
fn whole(tokens: f64) -> u32 {
    tokens as u32
}
