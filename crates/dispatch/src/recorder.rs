use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::{FlowId, Scope};
use futures::FutureExt as _;
use storage::work::{Claim, Disposition, Finished, NewFlowPause};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Deps, Handler, Outcome, Settings, Statements, WorkStore as _, hints::Hint, metrics};

/// What acting on a claim found out, on its way to being recorded. The hint is settled when it is dropped.
pub(crate) struct Acted<E> {
    pub(crate) claim: Claim,
    pub(crate) effect: E,
    pub(crate) hint: Option<Arc<Hint>>,
}

/// Records effects and outcomes, many to a transaction: what waits while one commits is the next batch.
/// An answer that was learned is kept in memory until the database takes it.
pub(crate) struct Recorder<H: Handler> {
    handler: Arc<H>,
    deps: Deps<H::Store>,
    settings: Settings,
}

impl<H: Handler> Recorder<H> {
    pub(crate) fn new(handler: Arc<H>, deps: Deps<H::Store>, settings: Settings) -> Self {
        Self {
            handler,
            deps,
            settings,
        }
    }

    /// Runs until every sender is gone, or `give_up` says that nothing can be waited for any more.
    pub(crate) async fn run(
        self,
        mut acted: mpsc::Receiver<Acted<H::Effect>>,
        give_up: CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(self.settings.record_batch);
        while acted
            .recv_many(&mut batch, self.settings.record_batch)
            .await
            > 0
        {
            let (effects, hints): (Vec<_>, Vec<_>) = batch
                .drain(..)
                .map(|a| ((a.claim, a.effect), a.hint))
                .unzip();
            if give_up
                .run_until_cancelled(self.record_patiently(&effects))
                .await
                .is_none()
            {
                tracing::warn!(
                    lost = effects.len(),
                    "gave up recording outcomes; their leases will end"
                );
            }
            // Settled only now: a crash before the commit redelivers, it never loses.
            drop(hints);
        }
    }

    async fn record_patiently(&self, effects: &[(Claim, H::Effect)]) {
        while let Err(trouble) = self.try_record(effects).await {
            metrics::record_failed(self.handler.kind());
            if trouble.is_lasting() && effects.len() > 1 {
                // One of them spoils it for all: each alone, so that only that one suffers.
                for effect in effects {
                    Box::pin(self.record_patiently(std::slice::from_ref(effect))).await;
                }
                return;
            }
            if trouble.is_lasting() {
                tracing::error!(
                    error = &trouble as &dyn std::error::Error,
                    "an outcome could not be recorded"
                );
                if self.give_back(effects).await.is_ok() {
                    return;
                }
            }
            tokio::time::sleep(self.settings.poll.min(Duration::from_millis(500))).await;
        }
    }

    /// A handler that panics over what it has read, and a database that falls silent, are troubles like others.
    async fn try_record(&self, effects: &[(Claim, H::Effect)]) -> Result<(), Trouble> {
        let record = AssertUnwindSafe(self.record(effects)).catch_unwind();
        match tokio::time::timeout(RECORD_DEADLINE, record).await {
            Ok(Ok(result)) => result.map_err(Trouble::Storage),
            Ok(Err(_)) => Err(Trouble::Panicked),
            Err(_) => Err(Trouble::Silent),
        }
    }

    async fn record(&self, effects: &[(Claim, H::Effect)]) -> storage::Result<()> {
        let now = self.deps.clock.now();
        let mut tx = self.deps.database.begin().await?;
        let outcomes = self.handler.record(&mut tx, effects, now).await?;
        let claims: Vec<(&Claim, &Outcome)> = effects
            .iter()
            .map(|(claim, _)| claim)
            .zip(&outcomes)
            .collect();
        pause_flows(&mut *tx, &claims, now).await?;
        let finished: Vec<Finished> = claims
            .iter()
            .map(|(claim, outcome)| finished(claim, outcome, now))
            .collect();
        tx.finish(&finished, now).await?;
        self.deps.database.commit(tx).await?;
        for outcome in &outcomes {
            metrics::outcome(self.handler.kind(), outcome);
        }
        Ok(())
    }

    /// The effect cannot be written: the work is tried again, and in the end given up where people can see it. What may have
    /// been acted on is not: it stays claimed, and when its lease ends its handler says what that means.
    async fn give_back(&self, effects: &[(Claim, H::Effect)]) -> storage::Result<()> {
        let now = self.deps.clock.now();
        let claims: Vec<_> = effects
            .iter()
            .map(|(claim, _)| (claim.id, claim.attempt))
            .collect();
        let mut tx = self.deps.database.begin().await?;
        let begun = tx.list_begun(&claims).await?;
        let finished: Vec<Finished> = effects
            .iter()
            .filter(|(claim, _)| !begun.contains(&claim.id))
            .map(|(claim, _)| self.given_back(claim, now))
            .collect();
        tx.finish(&finished, now).await?;
        self.deps.database.commit(tx).await
    }

    fn given_back(&self, claim: &Claim, now: DateTime<Utc>) -> Finished {
        let reason = "its outcome could not be recorded".to_owned();
        let disposition = if claim.failures >= self.settings.max_record_failures {
            Disposition::Dead { reason }
        } else {
            Disposition::Retry {
                due_at: now + Duration::from_mins(1),
                failed: true,
                reason,
            }
        };
        Finished {
            id: claim.id,
            attempt: claim.attempt,
            disposition,
        }
    }
}

/// Longer than any transaction takes that still works.
const RECORD_DEADLINE: Duration = Duration::from_secs(30);

/// Why outcomes were not recorded.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the transaction failed")]
    Storage(#[source] storage::Error),
    #[error("the handler panicked")]
    Panicked,
    #[error("the database did not answer in time")]
    Silent,
}

impl Trouble {
    /// Whether the same transaction would fail again.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Storage(error) => !error.is_unavailable(),
            Self::Panicked => true,
            Self::Silent => false,
        }
    }
}

async fn pause_flows(
    connection: &mut impl Statements,
    claims: &[(&Claim, &Outcome)],
    now: DateTime<Utc>,
) -> storage::Result<()> {
    // By key, so that two transactions cannot wait for each other.
    let mut pauses: BTreeMap<(FlowId, &Scope), NewFlowPause> = BTreeMap::new();
    for (claim, outcome) in claims {
        let Outcome::PauseFlow {
            scope,
            after,
            reason,
        } = outcome
        else {
            continue;
        };
        let pause = NewFlowPause {
            kind: claim.kind,
            flow: claim.flow,
            scope: scope.clone(),
            tenant_id: claim.tenant_id,
            reason: reason.clone(),
            until: after.map(|after| now + after),
        };
        let longest = pauses
            .entry((claim.flow, scope))
            .or_insert_with(|| pause.clone());
        if end_of(&pause) > end_of(longest) {
            *longest = pause;
        }
    }
    let pauses: Vec<NewFlowPause> = pauses.into_values().collect();
    connection.insert_pauses(&pauses, now).await
}

fn end_of(pause: &NewFlowPause) -> DateTime<Utc> {
    pause.until.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn finished(claim: &Claim, outcome: &Outcome, now: DateTime<Utc>) -> Finished {
    let disposition = match outcome {
        Outcome::Done => Disposition::Done,
        Outcome::Retry {
            after,
            failed,
            reason,
        } => Disposition::Retry {
            due_at: now + *after,
            failed: *failed,
            reason: reason.clone(),
        },
        // It keeps its place: before all that came after it.
        Outcome::PauseFlow { reason, .. } => Disposition::Retry {
            due_at: claim.created_at,
            failed: false,
            reason: reason.clone(),
        },
        Outcome::Hold { scope, reason } => Disposition::Hold {
            scope: scope.clone(),
            reason: reason.clone(),
        },
        Outcome::Dead { reason } => Disposition::Dead {
            reason: reason.clone(),
        },
    };
    Finished {
        id: claim.id,
        attempt: claim.attempt,
        disposition,
    }
}
