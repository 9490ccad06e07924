use std::time::Duration;

use chrono::{DateTime, Utc};
use convergence::{Entry, Learned};
use dispatch::{Claim, Outcome};
use domain::{
    FailureCause, MessageId, MessageState, ReportedStatus, Scope, SenderNumberId, StatusReport,
};
use serde_json::json;

/// What acting on a send found out. Not to be shown: a wamid contains the patient's number.
pub struct Effect {
    pub(crate) finding: Finding,
    /// Whether it was to repeat a send in doubt; `None` if the one who knew it is lost.
    pub(crate) resend: Option<bool>,
    /// When it was found out: statuses are compared by this, not by when it was written down.
    pub(crate) at: DateTime<Utc>,
}

/// The possible findings.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum Finding {
    /// The message is settled already, or gone: nothing to do.
    Settled,
    /// Somebody else does this work by now: nothing was sent, and nothing is to be said.
    ClaimLost,
    Accepted {
        wamid: String,
        message_status: Option<String>,
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
    Expired,
    /// Not sent; again later. `failed` counts against the schedule.
    Later {
        after: Duration,
        failed: bool,
        reason: String,
        code: Option<i64>,
    },
    /// Not sent; the number must wait.
    NumberPaused {
        scope: Scope,
        after: Duration,
        reason: String,
        code: Option<i64>,
    },
    /// Not sent; the token was refused, or there is none.
    CredentialRefused {
        number: SenderNumberId,
        token: Option<DateTime<Utc>>,
        code: Option<i64>,
    },
    /// Not sent; the template must be mended.
    TemplateHeld {
        scope: Scope,
        reason: String,
        code: Option<i64>,
    },
}

const CREDENTIAL_REASON: &str = "waiting for a valid access token of this number";
const CLAIM_LOST_REASON: &str = "the claim was lost before anything was sent";
const UNCONFIRMED_REASON: &str = "waiting to hear whether the provider took the message";
const PARKED_REASON: &str = "nothing was heard of this send; waiting for a decision, because sending again might reach the patient twice";

impl Effect {
    /// What the message's record learns of it.
    pub(crate) fn learned(&self, claim: &Claim, resend: bool) -> Learned {
        let mut learned = Learned::about(MessageId::from_uuid(claim.subject));
        let report = |status, cause| StatusReport {
            status,
            at: self.at,
            cause,
        };
        let note = |detail: serde_json::Value| Entry {
            at: self.at,
            kind: "attempt",
            detail,
        };
        let attempt = claim.attempt;
        match &self.finding {
            Finding::Settled | Finding::ClaimLost | Finding::StillUnconfirmed { .. } => {
                return learned;
            }
            Finding::Accepted {
                wamid,
                message_status,
            } => {
                learned.reports.push(report(ReportedStatus::Sent, None));
                learned.wamid = Some(wamid.clone());
                learned.entries.push(note(json!({
                    "attempt": attempt, "result": "accepted", "resend": resend, "message_status": message_status,
                })));
            }
            Finding::Unconfirmed => {
                learned.base = Some(MessageState::Unconfirmed);
                learned.entries.push(note(
                    json!({ "attempt": attempt, "result": "unconfirmed", "resend": resend }),
                ));
            }
            Finding::Parked => learned.entries.push(Entry {
                at: self.at,
                kind: "held",
                detail: json!({ "reason": PARKED_REASON }),
            }),
            Finding::Failed { cause } => {
                learned
                    .reports
                    .push(report(ReportedStatus::Failed, Some(cause.clone())));
                learned.entries.push(note(json!({
                    "attempt": attempt, "result": "failed", "code": cause.code, "class": cause.class.as_str(),
                })));
            }
            Finding::Expired => {
                learned.base = Some(MessageState::Expired);
                learned.entries.push(Entry {
                    at: self.at,
                    kind: "expired",
                    detail: json!({}),
                });
            }
            Finding::Later { reason, code, .. }
            | Finding::NumberPaused { reason, code, .. }
            | Finding::TemplateHeld { reason, code, .. } => {
                learned.entries.push(note(json!({ "attempt": attempt, "result": "not sent", "code": code, "reason": reason })));
            }
            Finding::CredentialRefused { code, .. } => {
                let detail = json!({ "attempt": attempt, "result": "not sent", "code": code, "reason": CREDENTIAL_REASON });
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
                scope: Scope::message(MessageId::from_uuid(claim.subject)),
                reason: PARKED_REASON.to_owned(),
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
            Finding::NumberPaused {
                scope,
                after,
                reason,
                ..
            } => Outcome::PauseFlow {
                scope: scope.clone(),
                after: Some(*after),
                reason: reason.clone(),
            },
            Finding::CredentialRefused { number, .. } => Outcome::PauseFlow {
                scope: Scope::credential(*number),
                after: None,
                reason: CREDENTIAL_REASON.to_owned(),
            },
            Finding::TemplateHeld { scope, reason, .. } => Outcome::Hold {
                scope: scope.clone(),
                reason: reason.clone(),
            },
        }
    }
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
