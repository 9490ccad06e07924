//! What becomes of a send that the provider did not take: one table, nothing but values. Decides no pacing of its own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use dispatch::Claim;
use domain::{
    ErrorClass, FailureCause, RetrySchedule, Scope, SenderNumberId, TemplateId, ThrottleScope,
};
use providers::{Classified, SendError};

use crate::effect::Finding;

const SCHEDULE: RetrySchedule = RetrySchedule::sends();
/// The delay when the schedule has no further one.
const LONGEST_DELAY: Duration = Duration::from_mins(10);
/// Senders that one message may take down before it is given up.
const MOST_LOSSES: u32 = 5;
/// How long a number whose account is in trouble is left alone before it is tried again.
const ACCOUNT_PAUSE: Duration = Duration::from_mins(15);
/// How long a throttled number is left alone when the provider does not say.
const THROTTLE_PAUSE: Duration = Duration::from_secs(2);
/// A portfolio's limit is counted over a day; asking more often than this does not help.
const PORTFOLIO_PAUSE: Duration = Duration::from_hours(1);
/// Claims that ended for other reasons count here, too: a recipient is left alone for 17 minutes (4^5 s) at most.
const MAX_PAIR_ERRORS: u32 = 5;

/// A send that was tried, or its upload.
#[derive(Clone, Copy)]
pub(crate) struct Tried<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) number: SenderNumberId,
    /// Since when its token was the number's.
    pub(crate) token: Option<DateTime<Utc>>,
    pub(crate) template: Option<TemplateId>,
}

/// What an answer that is no yes means for the message.
pub(crate) fn judge(tried: Tried<'_>, error: &SendError) -> Finding {
    match error {
        SendError::NotSent { .. } => again(tried.claim, "the provider could not be reached"),
        SendError::Ambiguous { .. } => Finding::Unconfirmed,
        SendError::Rejected(rejection) => rejected(tried, &rejection.classified, rejection.code),
    }
}

/// A trouble that has nothing to do with this message: again and again, until the message's lifetime ends it.
pub(crate) fn again(claim: &Claim, reason: &str) -> Finding {
    later(claim, None, u32::MAX, (None, reason))
}

/// The sender was lost while it prepared this message: perhaps because of it, so not for ever.
pub(crate) fn lost(claim: &Claim) -> Finding {
    let reason = "its sender was lost before it sent anything";
    later(claim, None, MOST_LOSSES, (None, reason))
}

fn rejected(tried: Tried<'_>, classified: &Classified, code: i64) -> Finding {
    let (code, meaning) = (Some(code), classified.meaning);
    let reason = meaning.to_owned();
    let pause = |pause| Finding::NumberPaused {
        scope: Scope::number(tried.number),
        after: classified.hold.unwrap_or(pause),
        reason: meaning.to_owned(),
        code,
    };
    match classified.class {
        ErrorClass::Credential => Finding::CredentialRefused {
            number: tried.number,
            token: tried.token,
            code,
        },
        ErrorClass::Retry => later(
            tried.claim,
            classified.hold,
            classified.max_attempts.unwrap_or(u32::MAX),
            (code, meaning),
        ),
        ErrorClass::Throttle(ThrottleScope::Pair) => Finding::Later {
            after: classified.hold.unwrap_or(pair_pause(tried.claim)),
            failed: false,
            reason,
            code,
        },
        ErrorClass::Throttle(ThrottleScope::Portfolio) => pause(PORTFOLIO_PAUSE),
        ErrorClass::Throttle(_) => pause(THROTTLE_PAUSE),
        ErrorClass::Account => pause(ACCOUNT_PAUSE),
        ErrorClass::Template => match tried.template {
            Some(template) if classified.hold.is_some() => Finding::TemplateHeld {
                scope: Scope::template(template),
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

/// Again by the schedule, whose last delay repeats; a failure after `max_attempts`.
fn later(
    claim: &Claim,
    hold: Option<Duration>,
    max_attempts: u32,
    (code, reason): (Option<i64>, &str),
) -> Finding {
    let attempt = u32::try_from(claim.failures)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    if attempt >= max_attempts {
        let detail = format!("given up after {attempt} tries: {reason}");
        return failed(ErrorClass::Retry, code, detail);
    }
    let delay = SCHEDULE.delay(attempt, jitter(claim));
    Finding::Later {
        after: hold.or(delay).unwrap_or(LONGEST_DELAY),
        failed: true,
        reason: reason.to_owned(),
        code,
    }
}

fn pair_pause(claim: &Claim) -> Duration {
    let earlier = u32::try_from(claim.attempt).unwrap_or(1).saturating_sub(1);
    RetrySchedule::pair(earlier.min(MAX_PAIR_ERRORS))
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
