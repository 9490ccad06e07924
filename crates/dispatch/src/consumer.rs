use std::{
    collections::HashSet,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use contracts::WorkBatch;
use domain::WorkId;
use futures::FutureExt as _;
use queue::Delivery;
use storage::GroupCommit;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Begin, Claim, Deps, Handler, Settings, Statements as _, WorkStore,
    hints::{Hint, queue_of},
    intake::{Held, Kept, UnderWay},
    metrics,
    recorder::Acted,
    store::in_time,
};

/// Turns hints into claims, and claims, also those that the releaser has made, into effects.
pub(crate) struct Consumer<H: Handler> {
    pub(crate) handler: Arc<H>,
    pub(crate) deps: Deps<H::Store>,
    pub(crate) settings: Settings,
    pub(crate) begins: GroupCommit<(WorkId, i32), bool>,
    pub(crate) acted: mpsc::Sender<Acted<H::Effect>>,
    pub(crate) under_way: UnderWay,
}

impl<H: Handler> Consumer<H> {
    /// Consumes until told to stop and the releaser is gone, then finishes what it has begun.
    pub(crate) async fn run(
        self: Arc<Self>,
        kept: mpsc::UnboundedReceiver<Kept>,
        stop: CancellationToken,
    ) {
        let mut kept = Some(kept);
        let queue = queue_of(self.handler.kind());
        let mut deliveries = Some(
            self.deps
                .broker
                .consume(queue, self.settings.prefetch)
                .await,
        );
        let (settle, mut settled) = mpsc::unbounded_channel::<Delivery>();
        let mut acting = JoinSet::new();
        while deliveries.is_some() || kept.is_some() || !acting.is_empty() {
            // Biased, so that a simulation of it can be repeated; none of these can keep the others from their turn for long.
            tokio::select! {
                biased;
                Some(delivery) = settled.recv() => acknowledge(delivery).await,
                Some(result) = acting.join_next() => report(result),
                claims = taken(&mut kept), if kept.is_some() => match claims {
                    Some(claims) => drop(acting.spawn(Arc::clone(&self).act_on(claims))),
                    None => kept = None,
                },
                delivery = next(&mut deliveries, &stop), if deliveries.is_some() => match delivery {
                    Some(delivery) => self.take(delivery, &settle, &mut acting).await,
                    None => {
                        if let Some(consumer) = deliveries.take() {
                            consumer.cancel().await;
                        }
                    }
                },
            }
        }
        // The recorder may still hold hints: their deliveries are settled by dropping, which the broker answers by
        // redelivering them to claim nothing.
        drop(settle);
        drop(self);
        while let Some(delivery) = settled.recv().await {
            acknowledge(delivery).await;
        }
    }

    async fn take(
        self: &Arc<Self>,
        delivery: Delivery,
        settle: &mpsc::UnboundedSender<Delivery>,
        acting: &mut JoinSet<()>,
    ) {
        let batch = match WorkBatch::decode(&delivery.body) {
            Ok(batch) if batch.kind == self.handler.kind() => batch,
            Ok(_) => return delivery.reject().await,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a hint that cannot be read went to the dead letters"
                );
                return delivery.reject().await;
            }
        };
        let hint = Arc::new(Hint {
            delivery: Mutex::new(Some(delivery)),
            settle: settle.clone(),
        });
        let consumer = Arc::clone(self);
        // Claiming must not keep the loop from settling what others finished.
        acting.spawn(async move { consumer.claim_and_act(batch, hint).await });
    }

    async fn claim_and_act(self: Arc<Self>, batch: WorkBatch, hint: Arc<Hint>) {
        failpoints::reach("consume.received");
        let items: Vec<(WorkId, i32)> = batch
            .items
            .iter()
            .map(|item| (item.id, item.attempt))
            .collect();
        let claims = match in_time(self.settings.store_timeout, self.claim(&items)).await {
            Ok(claims) => claims,
            Err(error) => {
                // The hint is spent; the row is released again when its lease is over.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not claim released work"
                );
                return;
            }
        };
        failpoints::reach("consume.claimed");
        metrics::claimed(batch.kind, claims.len(), items.len());
        let held = |claim| (claim, self.under_way.hold(Some(Arc::clone(&hint))));
        let claims = claims.into_iter().map(held).collect();
        drop(hint);
        self.act_on(claims).await;
    }

    async fn act_on(self: Arc<Self>, claims: Kept) {
        if claims.is_empty() {
            return;
        }
        let (claims, held): (Vec<Claim>, Vec<Held>) = claims.into_iter().unzip();
        // Twice the lease after it began, renewed at the latest moment, a claim is another's: nobody waits for its answer.
        let gone_at = Instant::now() + self.settings.claim_lease * 2;
        let Ok(prepared) = timeout_at(gone_at, self.handler.prepare(&claims)).await else {
            return claims.iter().for_each(hung);
        };
        let mut acting = JoinSet::new();
        for ((claim, held), prepared) in claims.into_iter().zip(held).zip(prepared) {
            let consumer = Arc::clone(&self);
            acting.spawn(async move { consumer.act(claim, prepared, gone_at, held).await });
        }
        while let Some(result) = acting.join_next().await {
            report(result);
        }
    }

    async fn claim(&self, items: &[(WorkId, i32)]) -> storage::Result<Vec<Claim>> {
        let now = self.deps.clock.now();
        let mut connection = self.deps.database.acquire().await?;
        connection
            .claim(items, now, now + self.settings.claim_lease)
            .await
    }

    async fn act(&self, claim: Claim, prepared: H::Prepared, gone_at: Instant, held: Held) {
        let span = tracing::info_span!("act", kind = %claim.kind, work.id = %claim.id, attempt = claim.attempt, traceparent = claim.traceparent.as_deref());
        let asked = AtomicBool::new(false);
        let begin = Begin {
            claim: &claim,
            begins: &self.begins,
            patience: self.settings.claim_lease / 4,
            asked: &asked,
        };
        let acting = AssertUnwindSafe(self.handler.act(&claim, prepared, begin)).catch_unwind();
        let returned = timeout_at(gone_at, acting.instrument(span)).await;
        let (claim, effect) = match returned {
            Ok(Ok(effect)) => (claim, effect),
            Ok(Err(_)) => self.panicked(claim, asked.load(Ordering::Relaxed)).await,
            Err(_) => return hung(&claim),
        };
        failpoints::reach("act.done");
        self.pass_on(Acted {
            claim,
            effect,
            held,
        })
        .await;
    }

    /// A panic ends one claim, as the death of its consumer would have; the others do not notice.
    async fn panicked(&self, claim: Claim, begun: bool) -> (Claim, H::Effect) {
        tracing::error!(work.id = %claim.id, attempt = claim.attempt, "a handler panicked");
        metrics::panicked(claim.kind);
        let lost = Claim {
            begun,
            losses: claim.losses.and_a_panic(),
            ..claim
        };
        let effect = self.handler.abandoned(&lost).await;
        (lost, effect)
    }

    /// Work whose consumer was lost, claimed anew by the sweep.
    pub(crate) async fn take_over(&self, claims: Vec<Claim>) {
        for claim in claims {
            let effect = self.handler.abandoned(&claim).await;
            self.pass_on(Acted {
                claim,
                effect,
                held: self.under_way.hold(None),
            })
            .await;
        }
    }

    async fn pass_on(&self, acted: Acted<H::Effect>) {
        // The recorder outlives its senders; it is gone only when the process gives up, and then the lease tells.
        drop(self.acted.send(acted).await);
    }
}

/// The next delivery; `None` when there will be none or none is wanted any more.
async fn next(
    deliveries: &mut Option<queue::Consumer>,
    stop: &CancellationToken,
) -> Option<Delivery> {
    stop.run_until_cancelled(deliveries.as_mut()?.next())
        .await?
}

/// What the releaser kept next; `None` when it is gone.
async fn taken(kept: &mut Option<mpsc::UnboundedReceiver<Kept>>) -> Option<Kept> {
    kept.as_mut()?.recv().await
}

async fn acknowledge(delivery: Delivery) {
    failpoints::reach("consume.acking");
    if delivery.ack().await.is_err() {
        tracing::debug!("a hint could not be acknowledged: it will come back and claim nothing");
    }
}

fn hung(claim: &Claim) {
    tracing::error!(work.id = %claim.id, attempt = claim.attempt, "a handler did not return: its claim is lost");
    metrics::hung(claim.kind);
}

fn report(result: Result<(), tokio::task::JoinError>) {
    if let Err(error) = result
        && error.is_panic()
    {
        tracing::error!("a handler panicked; its claim will end with its lease");
    }
}

/// The database's side of [`Begin`]: many claims, one statement.
pub(crate) async fn record_begins<S: WorkStore>(
    deps: Deps<S>,
    lease: std::time::Duration,
    claims: Vec<(WorkId, i32)>,
) -> storage::Result<Vec<bool>> {
    let until = deps.clock.now() + lease;
    let mut connection = deps.database.acquire().await?;
    let begun = connection.begin(&claims, until).await?;
    // By attempt, too: a lost claim and its successor may ask in one batch.
    let begun: HashSet<(WorkId, i32)> = begun.into_iter().collect();
    Ok(claims.iter().map(|claim| begun.contains(claim)).collect())
}
