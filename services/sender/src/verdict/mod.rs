//! What becomes of a send that the provider did not take: one table, nothing but values. Decides no pacing of its own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use dispatch::Claim;
use domain::{Backoff, ErrorClass, FailureCause, RetrySchedule, Scope, TemplateId, ThrottleScope};
use providers::{Classified, SendError};
use storage::sender_numbers::SenderNumber;

use crate::effect::Finding;

const SCHEDULE: RetrySchedule = RetrySchedule::sends();
/// The delay when the schedule has no further one.
const LONGEST_DELAY: Duration = Duration::from_mins(10);
/// No pause is longer than this, unless the provider wants it so.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// A number's throughput is counted by the second.
const NUMBER_PAUSE: Backoff = Backoff::doubling(Duration::from_secs(2), Duration::from_mins(1));
/// Calls of an account or an app are counted by the hour.
const CALLS_PAUSE: Backoff = Backoff::doubling(Duration::from_secs(5), Duration::from_mins(5));
/// A portfolio's limit is counted over a day; asking more often than this does not help.
const PORTFOLIO_PAUSE: Backoff = Backoff::constant(Duration::from_hours(1));

/// How long things are left alone at first, where the provider does not say it.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// Until a status would have come of a send that was refused, but perhaps taken.
    pub echo: Duration,
    pub credential: Duration,
    pub account: Duration,
    pub template: Duration,
    /// Of all of them, and of what the provider says.
    pub longest: Duration,
}

impl Pauses {
    pub(crate) fn credential(&self) -> Backoff {
        self.doubling(self.credential)
    }

    fn doubling(&self, first: Duration) -> Backoff {
        self.bounded(Backoff::doubling(first, LONGEST_PAUSE.max(first)))
    }

    /// The wait after a fault that may be the message's own, and that came so often before.
    fn spread(&self, before: u32) -> Duration {
        let pause = Backoff {
            first: self.echo,
            factor: 4.0,
            longest: LONGEST_PAUSE,
        };
        pause.after(before)
    }

    fn bounded(&self, pause: Backoff) -> Backoff {
        Backoff {
            first: pause.first.min(self.longest),
            longest: pause.longest.min(self.longest),
            ..pause
        }
    }
}

/// A send that was tried, or its upload.
pub(crate) struct Tried<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) number: &'a SenderNumber,
    pub(crate) pair: Scope,
    /// Since when its token was the number's.
    pub(crate) token: Option<DateTime<Utc>>,
    pub(crate) template: Option<TemplateId>,
    pub(crate) pauses: Pauses,
}

impl Tried<'_> {
    /// All that it depended on.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        let mut scopes = self.number.scopes();
        scopes.push(self.pair.clone());
        scopes.extend(self.template.map(Scope::template));
        scopes
    }

    /// The bucket that a throttle names. Of an app that is not ours to know, the number alone.
    fn throttled(&self, scope: ThrottleScope) -> (Scope, Backoff) {
        let number = Scope::number(self.number.id);
        match scope {
            ThrottleScope::Pair => (self.pair.clone(), Backoff::pair()),
            ThrottleScope::Phone => (number, NUMBER_PAUSE),
            ThrottleScope::Waba => (Scope::account(&self.number.waba_id), CALLS_PAUSE),
            ThrottleScope::App => {
                let app = self.number.app_key.as_deref().map(Scope::app);
                (app.unwrap_or(number), CALLS_PAUSE)
            }
            ThrottleScope::Portfolio => (number, PORTFOLIO_PAUSE),
        }
    }
}

/// What an answer that is no yes means for the message. `alike` of its earlier tries ended with the same code, where only so
/// many are worth it.
pub(crate) fn judge(tried: &Tried<'_>, error: &SendError, alike: u32) -> Finding {
    match error {
        SendError::NotSent { .. } => again(tried.claim, "the provider could not be reached"),
        SendError::Ambiguous { .. } => Finding::Unconfirmed,
        SendError::Rejected(rejection) => {
            rejected(tried, &rejection.classified, (rejection.code, alike))
        }
    }
}

/// A trouble that has nothing to do with this message: again and again, until the message's lifetime ends it.
pub(crate) fn again(claim: &Claim, reason: &str) -> Finding {
    later(claim, None, (None, reason))
}

/// The sender was lost while it prepared this message: perhaps because of it, so not for ever.
pub(crate) fn lost(claim: &Claim) -> Finding {
    if claim.losses.too_many() {
        let detail = "given up: again and again its sender was lost while preparing it".to_owned();
        return Finding::Poisonous {
            cause: FailureCause {
                code: None,
                class: ErrorClass::Permanent,
                detail,
            },
        };
    }
    Finding::Later {
        after: SCHEDULE
            .delay(claim.losses.pause(), jitter(claim))
            .unwrap_or(LONGEST_DELAY),
        failed: false,
        reason: "its sender was lost before it sent anything".to_owned(),
        code: None,
    }
}

/// What was found out about it can never be written down; nothing was sent.
pub(crate) fn unrecordable() -> Finding {
    let detail = "given up: its outcome could not be recorded".to_owned();
    Finding::Poisonous {
        cause: FailureCause {
            code: None,
            class: ErrorClass::Permanent,
            detail,
        },
    }
}

fn rejected(tried: &Tried<'_>, classified: &Classified, (code, alike): (i64, u32)) -> Finding {
    let (code, meaning) = (Some(code), classified.meaning);
    let reason = meaning.to_owned();
    let paused = |(scope, pause)| Finding::Paused {
        scope,
        pause: tried
            .pauses
            .bounded(classified.hold.map_or(pause, Backoff::constant)),
        reason: meaning.to_owned(),
        code,
    };
    match classified.class {
        ErrorClass::Credential => Finding::CredentialRefused {
            number: tried.number.id,
            token: tried.token,
            pause: tried.pauses.credential(),
            code,
        },
        ErrorClass::Retry => {
            let count = alike.saturating_add(1);
            if classified.max_attempts.is_some_and(|most| count >= most) {
                let detail = format!("given up after {count} tries: {reason}");
                return failed(ErrorClass::Retry, code, detail);
            }
            let echo = (!classified.replay_safe).then_some(tried.pauses.echo);
            // Few tries are spread, so that they do not all fall into one disturbance.
            let spread = classified.max_attempts.map(|_| tried.pauses.spread(alike));
            let at_least = classified.hold.max(echo).max(spread);
            later(
                tried.claim,
                at_least.min(Some(tried.pauses.longest)),
                (code, meaning),
            )
        }
        ErrorClass::Throttle(scope) => paused(tried.throttled(scope)),
        ErrorClass::Account => {
            let pause = tried.pauses.doubling(tried.pauses.account);
            paused((Scope::number(tried.number.id), pause))
        }
        ErrorClass::Template => match tried.template {
            Some(template) if classified.hold.is_some() => Finding::TemplateHeld {
                scope: Scope::template(template),
                pause: tried.pauses.doubling(tried.pauses.template),
                reason,
                code,
            },
            _ => failed(ErrorClass::Template, code, reason),
        },
        class @ (ErrorClass::Permanent | ErrorClass::Unreachable | ErrorClass::Policy) => {
            failed(class, code, reason)
        }
    }
}

/// Again by the schedule, whose last delay repeats, and not before `at_least`.
fn later(
    claim: &Claim,
    at_least: Option<Duration>,
    (code, reason): (Option<i64>, &str),
) -> Finding {
    let attempt = u32::try_from(claim.failures)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let delay = SCHEDULE.delay(attempt, jitter(claim));
    Finding::Later {
        after: delay
            .unwrap_or(LONGEST_DELAY)
            .max(at_least.unwrap_or_default()),
        failed: true,
        reason: reason.to_owned(),
        code,
    }
}

fn failed(class: ErrorClass, code: Option<i64>, detail: String) -> Finding {
    Finding::Failed {
        cause: FailureCause {
            code,
            class,
            detail,
        },
    }
}

/// Spreads retries; the same for the same claim.
fn jitter(claim: &Claim) -> f64 {
    let (_, low) = claim.id.as_uuid().as_u64_pair();
    let mixed = low
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(claim.attempt.unsigned_abs() % 64);
    f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
