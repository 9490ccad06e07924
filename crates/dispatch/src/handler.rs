use std::{
    collections::HashMap,
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Backoff, FlowId, Rate, Scope, WorkId, WorkKind};
use storage::{GroupCommit, work::Claim};

use crate::{WorkStore, store::Connection};

/// How fast a flow may be released, and how much of it may be out at once.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowLimits {
    /// `None`: as fast as the window allows.
    pub rate: Option<Rate>,
    /// Most that may be released or claimed at a time.
    pub window: u32,
    /// The rate of each pair within the flow.
    pub pair: Option<Rate>,
    /// What all of it depends on: while one of these is paused, nothing is released.
    pub scopes: Vec<Scope>,
}

/// What becomes of work after it was acted on.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done,
    /// Again after this long. `failed` spends one of the work's attempts; a throttle does not.
    Retry {
        after: Duration,
        failed: bool,
        reason: String,
    },
    /// All that depends on the scope must wait. When the pause is over one may try; this work goes first then.
    Pause {
        scope: Scope,
        pause: Backoff,
        reason: String,
    },
    /// This work alone waits until the scope is resumed. With `pause`, one of all that wait so tries now and then.
    Hold {
        scope: Scope,
        pause: Option<Backoff>,
        reason: String,
    },
    /// Given up: kept as a dead letter.
    Dead {
        reason: String,
    },
}

impl Outcome {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry { failed: true, .. } => "retry",
            Self::Retry { .. } => "later",
            Self::Pause { .. } => "pause",
            Self::Hold { .. } => "hold",
            Self::Dead { .. } => "dead",
        }
    }
}

/// What a kind of work means. Preparing, acting and recording are apart: what many claims need is looked up together; acting is
/// for each alone, may take long and happens outside any transaction; recording is one transaction for many, and the claims
/// end in it.
pub trait Handler: Send + Sync + 'static {
    /// Where its work is kept, and what it records is written.
    type Store: WorkStore;
    /// What acting on a claim needs, or why it cannot be had.
    type Prepared: Send + 'static;
    /// What acting on a claim found out.
    type Effect: Send + Sync + 'static;

    fn kind(&self) -> WorkKind;

    /// The limits of these flows; a flow that is left out is not released.
    fn limits(
        &self,
        flows: &[FlowId],
    ) -> impl Future<Output = storage::Result<HashMap<FlowId, FlowLimits>>> + Send;

    /// Looks up what acting on these claims needs; one answer for each, in order.
    fn prepare(&self, claims: &[Claim]) -> impl Future<Output = Vec<Self::Prepared>> + Send;

    /// Acts. Whatever cannot be undone comes after `begin` said that the claim is still ours.
    fn act(
        &self,
        claim: &Claim,
        prepared: Self::Prepared,
        begin: Begin<'_>,
    ) -> impl Future<Output = Self::Effect> + Send;

    /// The consumer of this claim was lost. `claim.begun` tells whether it may have acted.
    fn abandoned(&self, claim: &Claim) -> impl Future<Output = Self::Effect> + Send;

    /// Writes what was found out and says what becomes of each claim, in order. May run again for the same effects.
    fn record(
        &self,
        connection: &mut Connection<Self>,
        effects: &[(Claim, Self::Effect)],
        now: DateTime<Utc>,
    ) -> impl Future<Output = storage::Result<Vec<Outcome>>> + Send;

    /// What it found out could never be recorded: the work becomes a dead letter now. Says so where people look for it.
    fn given_up(
        &self,
        _connection: &mut Connection<Self>,
        _claim: &Claim,
        _now: DateTime<Utc>,
    ) -> impl Future<Output = storage::Result<()>> + Send {
        async { Ok(()) }
    }
}

/// The claim is another's by now, or the database could not be asked: do not act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the claim is no longer ours")]
pub struct LostClaim;

/// Asked once, right before the point of no return.
#[derive(Debug)]
pub struct Begin<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) begins: &'a GroupCommit<(WorkId, i32), bool>,
    pub(crate) patience: Duration,
    /// Whether it was asked: from then on nobody knows without the answer.
    pub(crate) asked: &'a AtomicBool,
}

impl Begin<'_> {
    /// Makes it durable that this claim is about to be acted on. Should we die after this, the work is not blindly repeated.
    pub async fn begin(self) -> Result<(), LostClaim> {
        self.asked.store(true, Ordering::Relaxed);
        let answer = self
            .begins
            .submit((self.claim.id, self.claim.attempt), self.patience)
            .await;
        match answer {
            Ok(true) => {
                failpoints::reach("act.begun");
                Ok(())
            }
            Ok(false) | Err(_) => Err(LostClaim),
        }
    }
}
