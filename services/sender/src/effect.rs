use std::{borrow::Cow, time::Duration};

use chrono::{DateTime, Utc};
use convergence::{Entry, Learned, Verdict};
use dispatch::{Claim, Outcome};
use domain::{
    Backoff, FailureCause, GivenUp, MessageState, ReportedStatus, Scope, SenderNumberId,
    StatusReport,
};
use serde_json::json;
use storage::attachments::MediaUpload;

use crate::{doubt::Resend, job::subject};

/// What acting on a send found out. Not to be shown: a wamid contains the patient's number.
#[derive(Clone)]
pub struct Effect {
    pub(crate) finding: Finding,
    /// Whether it was to repeat a send in doubt; `None` if the one who knew it is lost.
    pub(crate) resend: Option<Resend>,
    /// The file that was brought to the provider for it.
    pub(crate) upload: Option<MediaUpload>,
    /// When it was found out: statuses are compared by this, not by when it was written down.
    pub(crate) at: DateTime<Utc>,
}

/// The possible findings.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum Finding {
    /// The message is settled already, or gone: nothing to do.
    Settled,
    /// Somebody else does this work by now: nothing was sent, and nothing is to be said.
    ClaimLost,
    Accepted {
        wamid: String,
        message_status: Option<String>,
        proof: Proof,
    },
    /// The answer was not seen: sent or not, nobody knows yet.
    Unconfirmed,
    /// The wait for news of an unconfirmed send is not over.
    StillUnconfirmed {
        left: Duration,
    },
    /// Nothing was heard, and the tenant wants a person to decide.
    Parked,
    Failed {
        cause: FailureCause,
    },
    /// It took its senders down again and again: nobody tries it any more, and somebody should look at it.
    Poisonous {
        cause: FailureCause,
    },
    Expired,
    /// Not sent; again later. `failed` counts against the schedule.
    Later {
        after: Duration,
        failed: bool,
        reason: String,
        code: Option<i64>,
    },
    /// Not sent; what the scope names must be left alone for a while.
    Paused {
        scope: Scope,
        pause: Backoff,
        reason: String,
        code: Option<i64>,
    },
    /// Not sent; the token was refused, or there is none.
    CredentialRefused {
        number: SenderNumberId,
        token: Option<DateTime<Utc>>,
        pause: Backoff,
        code: Option<i64>,
    },
    /// Not sent; the template must be mended.
    TemplateHeld {
        scope: Scope,
        pause: Backoff,
        reason: String,
        code: Option<i64>,
    },
}

/// An accepted send shows that all that it depended on works.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Proof {
    pub(crate) scopes: Vec<Scope>,
    pub(crate) tried_at: DateTime<Utc>,
}

const CREDENTIAL_REASON: &str = "waiting for a valid access token of this number";
const CLAIM_LOST_REASON: &str = "the claim was lost before anything was sent";
const UNCONFIRMED_REASON: &str = "waiting to hear whether the provider took the message";
const PARKED_REASON: &str = "nothing was heard of this send; waiting for a decision, because sending again might reach the patient twice";

impl Effect {
    /// The same from one whose claim another took over: that one tells, and counts, what it does not know. An answer is news.
    pub(crate) fn of_an_outsider(&self) -> Cow<'_, Self> {
        let knows_nothing = self.resend.is_none() || matches!(self.finding, Finding::Unconfirmed);
        if !knows_nothing {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self {
            finding: Finding::ClaimLost,
            ..self.clone()
        })
    }

    /// The same about a message in doubt: it may have been sent, so nobody may say that it failed. A person decides.
    pub(crate) fn in_doubt(&self) -> Cow<'_, Self> {
        match self.finding {
            Finding::Poisonous { .. } => Cow::Owned(Self {
                finding: Finding::Parked,
                ..self.clone()
            }),
            _ => Cow::Borrowed(self),
        }
    }

    /// The upload that another try need not make again. What was accepted is not sent again.
    pub(crate) fn upload_to_keep(&self) -> Option<&MediaUpload> {
        let is_accepted = matches!(self.finding, Finding::Accepted { .. });
        self.upload.as_ref().filter(|_| !is_accepted)
    }

    /// What the message's record learns of it.
    pub(crate) fn learned(&self, claim: &Claim, resend: Resend) -> Learned {
        let mut learned = Learned::about(subject(claim));
        let report = |status, cause| StatusReport {
            status,
            at: self.at,
            cause,
        };
        let line = |kind, detail| Entry {
            at: self.at,
            kind,
            detail,
        };
        let note = |detail| line("attempt", detail);
        let (attempt, resend) = (claim.attempt, resend != Resend::No);
        match &self.finding {
            Finding::Settled | Finding::ClaimLost | Finding::StillUnconfirmed { .. } => {
                return learned;
            }
            Finding::Accepted {
                wamid,
                message_status,
                ..
            } => {
                learned.reports.push(report(ReportedStatus::Sent, None));
                learned.wamid = Some(wamid.clone());
                learned.entries.push(note(json!({
                    "attempt": attempt, "result": "accepted", "resend": resend, "message_status": message_status,
                })));
            }
            Finding::Unconfirmed => {
                learned.base = Some(MessageState::Unconfirmed);
                let detail =
                    json!({ "attempt": attempt, "result": "unconfirmed", "resend": resend });
                learned.entries.push(note(detail));
            }
            Finding::Parked => {
                let detail = json!({ "reason": PARKED_REASON });
                learned.entries.push(line("held", detail));
            }
            Finding::Failed { cause } => {
                learned
                    .reports
                    .push(report(ReportedStatus::Failed, Some(cause.clone())));
                learned.entries.push(note(failed(attempt, cause)));
            }
            Finding::Poisonous { cause } => {
                let (at, cause) = (self.at, cause.clone());
                learned.entries.push(note(failed(attempt, &cause)));
                learned.verdict = Some(Verdict::GivenUp(GivenUp { at, cause }));
            }
            Finding::Expired => {
                learned.base = Some(MessageState::Expired);
                learned.entries.push(line("expired", json!({})));
            }
            Finding::Later { reason, code, .. }
            | Finding::Paused { reason, code, .. }
            | Finding::TemplateHeld { reason, code, .. } => {
                learned.entries.push(note(not_sent(attempt, *code, reason)));
            }
            Finding::CredentialRefused { code, .. } => {
                let detail = not_sent(attempt, *code, CREDENTIAL_REASON);
                learned.entries.push(note(detail));
            }
        }
        learned.attempted = !matches!(self.finding, Finding::Parked | Finding::Expired);
        learned.resent = resend
            && matches!(
                self.finding,
                Finding::Accepted { .. } | Finding::Unconfirmed
            );
        learned
    }

    /// What becomes of the work.
    pub(crate) fn outcome(&self, claim: &Claim, grace: Duration) -> Outcome {
        match &self.finding {
            Finding::Settled
            | Finding::Accepted { .. }
            | Finding::Expired
            | Finding::Failed { .. } => Outcome::Done,
            // Whoever holds the claim decides; should it be ours all the same, it is simply tried again.
            Finding::ClaimLost => Outcome::Retry {
                after: Duration::ZERO,
                failed: false,
                reason: CLAIM_LOST_REASON.to_owned(),
            },
            Finding::Unconfirmed => Outcome::Retry {
                after: grace,
                failed: false,
                reason: UNCONFIRMED_REASON.to_owned(),
            },
            Finding::StillUnconfirmed { left } => Outcome::Retry {
                after: *left,
                failed: false,
                reason: UNCONFIRMED_REASON.to_owned(),
            },
            Finding::Parked => Outcome::Hold {
                scope: Scope::message(subject(claim)),
                pause: None,
                reason: PARKED_REASON.to_owned(),
            },
            Finding::Poisonous { cause } => Outcome::Dead {
                reason: cause.detail.clone(),
            },
            Finding::Later {
                after,
                failed,
                reason,
                ..
            } => Outcome::Retry {
                after: *after,
                failed: *failed,
                reason: reason.clone(),
            },
            Finding::Paused {
                scope,
                pause,
                reason,
                ..
            } => Outcome::Pause {
                scope: scope.clone(),
                pause: *pause,
                reason: reason.clone(),
            },
            Finding::CredentialRefused { number, pause, .. } => Outcome::Pause {
                scope: Scope::credential(*number),
                pause: *pause,
                reason: CREDENTIAL_REASON.to_owned(),
            },
            Finding::TemplateHeld {
                scope,
                pause,
                reason,
                ..
            } => Outcome::Hold {
                scope: scope.clone(),
                pause: Some(*pause),
                reason: reason.clone(),
            },
        }
    }
}

fn failed(attempt: i32, cause: &FailureCause) -> serde_json::Value {
    json!({ "attempt": attempt, "result": "failed", "code": cause.code, "class": cause.class.as_str() })
}

fn not_sent(attempt: i32, code: Option<i64>, reason: &str) -> serde_json::Value {
    json!({ "attempt": attempt, "result": "not sent", "code": code, "reason": reason })
}

/// The timeline's line of a status that came before its send was recorded.
pub(crate) fn early_status(report: &StatusReport) -> Entry {
    let code = report.cause.as_ref().and_then(|cause| cause.code);
    Entry {
        at: report.at,
        kind: "status",
        detail: json!({ "status": report.status.as_str(), "code": code }),
    }
}
