use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::{Backoff, Scope};
use futures::FutureExt as _;
use storage::work::{Claim, Disposition, Finished, NewPause};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Deps, Handler, Outcome, Settings, Statements, WorkStore, intake::Held, metrics};

/// What acting on a claim found out, on its way to being recorded.
pub(crate) struct Acted<E> {
    pub(crate) claim: Claim,
    pub(crate) effect: E,
    pub(crate) held: Held,
}

/// A transaction that is to be committed, and what it says.
type Recorded<H> = (
    <<H as Handler>::Store as WorkStore>::Transaction,
    Vec<Outcome>,
);

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
            let (effects, held): (Vec<_>, Vec<_>) = batch
                .drain(..)
                .map(|a| ((a.claim, a.effect), a.held))
                .unzip();
            if give_up
                .run_until_cancelled(self.record_all(effects))
                .await
                .is_none()
            {
                tracing::warn!(
                    lost = held.len(),
                    "gave up recording outcomes; their leases will end"
                );
            }
            // Settled only now: a crash before the commit redelivers, it never loses.
            drop(held);
        }
    }

    /// What has lost its consumer before may take down this process, too: alone, so that it takes nothing along.
    async fn record_all(&self, effects: Vec<(Claim, H::Effect)>) {
        let (suspects, others): (Vec<_>, Vec<_>) = effects
            .into_iter()
            .partition(|(claim, _)| claim.losses.any());
        if !others.is_empty() {
            self.record_patiently(&others).await;
        }
        for suspect in &suspects {
            self.record_patiently(std::slice::from_ref(suspect)).await;
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
        let (tx, outcomes) = match tokio::time::timeout(self.settings.store_timeout, record).await {
            Ok(Ok(recorded)) => recorded.map_err(Trouble::Storage)?,
            Ok(Err(_)) => return Err(Trouble::Panicked),
            Err(_) => return Err(Trouble::Silent),
        };
        // Not within the time limit: recording the same twice would count attempts that were never made.
        let committed = self.deps.database.commit(tx).await;
        committed.map_err(Trouble::Storage)?;
        failpoints::reach("record.committed");
        for outcome in &outcomes {
            metrics::outcome(self.handler.kind(), outcome);
        }
        Ok(())
    }

    /// Everything but the commit.
    async fn record(&self, effects: &[(Claim, H::Effect)]) -> storage::Result<Recorded<H>> {
        let now = self.deps.clock.now();
        let mut tx = self.deps.database.begin().await?;
        let outcomes = self.handler.record(&mut tx, effects, now).await?;
        let claims: Vec<(&Claim, &Outcome)> = effects
            .iter()
            .map(|(claim, _)| claim)
            .zip(&outcomes)
            .collect();
        tx.insert_pauses(&pauses(&claims), now).await?;
        let finished: Vec<Finished> = claims
            .iter()
            .map(|(claim, outcome)| finished(claim, outcome, now))
            .collect();
        tx.finish(&finished, now).await?;
        Ok((tx, outcomes))
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
        let ours = || {
            let claims = effects.iter().map(|(claim, _)| claim);
            claims.filter(|claim| !begun.contains(&claim.id))
        };
        let finished: Vec<Finished> = ours().map(|claim| self.given_back(claim, now)).collect();
        tx.finish(&finished, now).await?;
        self.deps.database.commit(tx).await?;
        for claim in ours().filter(|claim| self.is_last(claim)) {
            self.say_given_up(claim).await;
        }
        Ok(())
    }

    /// In a transaction of its own: it may be the very thing that cannot be recorded, and the dead letter is what counts.
    async fn say_given_up(&self, claim: &Claim) {
        let now = self.deps.clock.now();
        let say = async {
            let mut tx = self.deps.database.begin().await?;
            self.handler.given_up(&mut tx, claim, now).await?;
            self.deps.database.commit(tx).await
        };
        let said = AssertUnwindSafe(say).catch_unwind().await;
        if !matches!(said, Ok(Ok(()))) {
            tracing::error!(work.id = %claim.id, "work was given up, and that could not be told");
        }
    }

    fn is_last(&self, claim: &Claim) -> bool {
        claim.failures >= self.settings.max_record_failures
    }

    fn given_back(&self, claim: &Claim, now: DateTime<Utc>) -> Finished {
        let reason = "its outcome could not be recorded".to_owned();
        let disposition = if self.is_last(claim) {
            Disposition::Dead { reason }
        } else {
            let failures = u32::try_from(claim.failures).unwrap_or(0);
            Disposition::Retry {
                due_at: now + self.settings.record_backoff.after(failures),
                failed: true,
                reason,
            }
        };
        Finished {
            id: claim.id,
            attempt: claim.attempt,
            losses: claim.losses,
            disposition,
        }
    }
}

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

fn pauses(claims: &[(&Claim, &Outcome)]) -> Vec<NewPause> {
    let pause = |claim: &Claim, scope: &Scope, backoff: Backoff, reason: &str| NewPause {
        scope: scope.clone(),
        tenant_id: claim.tenant_id.filter(|_| !scope.is_shared()),
        reason: reason.to_owned(),
        backoff,
    };
    claims
        .iter()
        .filter_map(|(claim, outcome)| match outcome {
            Outcome::Pause {
                scope,
                pause: backoff,
                reason,
            }
            | Outcome::Hold {
                scope,
                pause: Some(backoff),
                reason,
            } => Some(pause(claim, scope, *backoff, reason)),
            _ => None,
        })
        .collect()
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
        Outcome::Pause { reason, .. } => Disposition::Retry {
            due_at: claim.created_at,
            failed: false,
            reason: reason.clone(),
        },
        Outcome::Hold { scope, reason, .. } => Disposition::Hold {
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
        losses: claim.losses,
        disposition,
    }
}
