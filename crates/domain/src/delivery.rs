use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ErrorClass;

/// Where a message is in its life, as everyone outside sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageState {
    Queued,
    /// Sent or not: the provider's answer was not seen.
    Unconfirmed,
    Sent,
    Delivered,
    Read,
    Failed,
    Expired,
    Cancelled,
}

named!(MessageState, "message state", {
    Queued => "queued",
    Unconfirmed => "unconfirmed",
    Sent => "sent",
    Delivered => "delivered",
    Read => "read",
    Failed => "failed",
    Expired => "expired",
    Cancelled => "cancelled",
});

impl MessageState {
    /// Whether nothing more is expected; a late proof of delivery may still correct it.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Read | Self::Failed | Self::Expired | Self::Cancelled
        )
    }

    /// Whether its send is still to be made, or to be heard of.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Unconfirmed)
    }
}

/// What a provider can report about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportedStatus {
    Sent,
    Delivered,
    Read,
    Failed,
}

named!(ReportedStatus, "reported status", {
    Sent => "sent",
    Delivered => "delivered",
    Read => "read",
    Failed => "failed",
});

/// Why a message failed: the provider's code, our class, a sentence without patient data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FailureCause {
    pub code: Option<i64>,
    pub class: ErrorClass,
    pub detail: String,
}

/// Our own end to a message that we cannot send. No evidence of anything: it can be taken back, and any report disproves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GivenUp {
    pub at: DateTime<Utc>,
    pub cause: FailureCause,
}

/// One status of one message, as reported by the provider or learned from its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StatusReport {
    pub status: ReportedStatus,
    pub at: DateTime<Utc>,
    pub cause: Option<FailureCause>,
}

/// All the evidence about one message. Deliveries merge as a join-semilattice, so reports may come
/// late, twice, in any order and in any batches: the result is the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Delivery {
    /// What holds without evidence: queued, unconfirmed, expired or cancelled.
    pub base: MessageState,
    /// Ends what holds without evidence.
    pub given_up: Option<GivenUp>,
    pub sent_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub read_at: Option<DateTime<Utc>>,
    pub failed_at: Option<DateTime<Utc>>,
    /// The cause of the earliest failure.
    pub failure: Option<FailureCause>,
}

impl Delivery {
    /// No evidence yet: the bottom of the lattice.
    pub const fn queued() -> Self {
        Self {
            base: MessageState::Queued,
            given_up: None,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            failed_at: None,
            failure: None,
        }
    }

    /// The state that the evidence proves; a failure yields only to a proof of delivery.
    pub fn state(&self) -> MessageState {
        if self.read_at.is_some() {
            MessageState::Read
        } else if self.delivered_at.is_some() {
            MessageState::Delivered
        } else if self.failed_at.is_some() {
            MessageState::Failed
        } else if self.sent_at.is_some() {
            MessageState::Sent
        } else if self.given_up.is_some() {
            MessageState::Failed
        } else {
            self.base
        }
    }

    /// Since when it has failed, and why, if that is its state.
    pub fn failed(&self) -> Option<(DateTime<Utc>, Option<&FailureCause>)> {
        if self.state() != MessageState::Failed {
            return None;
        }
        let reported = self.failed_at.map(|at| (at, self.failure.as_ref()));
        let given_up = || self.given_up.as_ref();
        reported.or_else(|| given_up().map(|given_up| (given_up.at, Some(&given_up.cause))))
    }

    #[must_use]
    pub fn apply(self, report: &StatusReport) -> Self {
        self.merge(Self::from(report))
    }

    /// What both know together. Of two bases the later in the message's life holds.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let (failed_at, failure) = earliest_failure(
            (self.failed_at, self.failure),
            (other.failed_at, other.failure),
        );
        Self {
            base: self.base.max(other.base),
            given_up: [self.given_up, other.given_up].into_iter().flatten().min(),
            sent_at: earliest(self.sent_at, other.sent_at),
            delivered_at: earliest(self.delivered_at, other.delivered_at),
            read_at: earliest(self.read_at, other.read_at),
            failed_at,
            failure,
        }
    }
}

impl From<&StatusReport> for Delivery {
    fn from(report: &StatusReport) -> Self {
        let at = Some(report.at);
        let nothing = Self::queued();
        match report.status {
            ReportedStatus::Sent => Self {
                sent_at: at,
                ..nothing
            },
            ReportedStatus::Delivered => Self {
                delivered_at: at,
                ..nothing
            },
            ReportedStatus::Read => Self {
                read_at: at,
                ..nothing
            },
            ReportedStatus::Failed => Self {
                failed_at: at,
                failure: report.cause.clone(),
                ..nothing
            },
        }
    }
}

fn earliest(a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    [a, b].into_iter().flatten().min()
}

type Failure = (Option<DateTime<Utc>>, Option<FailureCause>);

fn earliest_failure(a: Failure, b: Failure) -> Failure {
    if failure_order(&a, &b).is_le() { a } else { b }
}

/// A total order, nothing last: among failures of the same instant, a stated cause first, then the smallest.
fn failure_order((a_at, a_cause): &Failure, (b_at, b_cause): &Failure) -> Ordering {
    (a_at.is_none(), a_at, a_cause.is_none(), a_cause).cmp(&(
        b_at.is_none(),
        b_at,
        b_cause.is_none(),
        b_cause,
    ))
}
