use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    time::{Instant, sleep, timeout_at},
};

use super::{
    escape::escaped,
    payload::{Update, envelope},
    sign::signature,
};
use crate::{
    engine::Engine,
    faults::Effect,
    world::{Status, Target},
};

/// Who wants to know what became of the webhook about a status.
pub(crate) struct Receipt {
    pub(crate) wamid: String,
    pub(crate) status: Status,
    /// Told when the first callback has taken it, or has refused it once.
    pub(crate) tried: Option<oneshot::Sender<()>>,
}

/// One queue for each callback: a callback that is down does not hold up another.
#[derive(Default)]
pub(crate) struct Outbox {
    queues: Mutex<HashMap<(String, String), UnboundedSender<Queued>>>,
}

struct Queued {
    update: Update,
    receipt: Option<Receipt>,
}

impl Outbox {
    /// Puts an update on its way to one callback.
    pub(crate) fn push(
        &self,
        engine: &Arc<Engine>,
        target: Target,
        update: Update,
        receipt: Option<Receipt>,
    ) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (target.app_id.clone(), target.url.clone());
        let queue = queues.entry(key).or_insert_with(|| {
            let (sender, receiver) = unbounded_channel();
            engine.spawn(queue(Arc::clone(engine), target, receiver));
            sender
        });
        // The queue is gone only when the simulator has stopped.
        queue.send(Queued { update, receipt }).ok();
    }
}

async fn queue(engine: Arc<Engine>, target: Target, mut waiting: UnboundedReceiver<Queued>) {
    let slots = Arc::new(Semaphore::new(engine.webhooks.in_flight.max(1)));
    while let Some(first) = waiting.recv().await {
        // Slots before the batch: when the callback is slow, the batches grow.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let batch = batch(&engine, first, &mut waiting).await;
        engine.spawn(deliver(
            Arc::clone(&engine),
            target.clone(),
            batch,
            slot,
            Arc::clone(&slots),
        ));
    }
}

async fn batch(
    engine: &Engine,
    first: Queued,
    waiting: &mut UnboundedReceiver<Queued>,
) -> Vec<Queued> {
    let mut batch = vec![first];
    let mut most = engine.webhooks.max_batch.max(1);
    if let Some(Effect::BatchWebhooks { size, ms }) = engine.faults.take_batching() {
        let until = Instant::now() + Duration::from_millis(ms);
        most = size;
        while batch.len() < most
            && let Ok(Some(next)) = timeout_at(until, waiting.recv()).await
        {
            batch.push(next);
        }
    }
    while batch.len() < most
        && let Ok(next) = waiting.try_recv()
    {
        batch.push(next);
    }
    batch
}

async fn deliver(
    engine: Arc<Engine>,
    target: Target,
    batch: Vec<Queued>,
    slot: OwnedSemaphorePermit,
    slots: Arc<Semaphore>,
) {
    let envelope = envelope(
        batch.iter().map(|queued| &queued.update),
        engine.now().timestamp(),
    );
    let body = Bytes::from(escaped(&envelope));
    let signature = signature(&target.secret, &body);
    let started = Instant::now();
    let mut wait = engine.webhooks.retry_first;
    let mut slot = Some(slot);
    let mut receipts: Vec<Receipt> = batch.into_iter().filter_map(|it| it.receipt).collect();
    loop {
        let taken = post(&engine, &target, body.clone(), &signature).await;
        for receipt in &mut receipts {
            if taken {
                engine.ledger.told(&receipt.wamid, receipt.status);
            }
            receipt.tried.take().map(|tried| tried.send(()));
        }
        if taken || started.elapsed() + wait > engine.webhooks.give_up_after {
            return;
        }
        drop(slot.take());
        sleep(wait).await;
        wait = (wait * 2).min(engine.webhooks.retry_longest);
        slot = Arc::clone(&slots).acquire_owned().await.ok();
    }
}

/// Whether the callback answered 200; anything else is tried again.
async fn post(engine: &Engine, target: &Target, body: Bytes, signature: &str) -> bool {
    let request = engine
        .http
        .post(&target.url)
        .header("content-type", "application/json")
        .header("user-agent", "facebookexternalua")
        .header("x-hub-signature-256", signature)
        .timeout(engine.webhooks.timeout)
        .body(body);
    match request.send().await {
        Ok(answer) if answer.status().as_u16() == 200 => true,
        Ok(answer) => {
            tracing::info!(
                app.id = target.app_id,
                status = answer.status().as_u16(),
                "callback refused a webhook"
            );
            false
        }
        Err(error) => {
            tracing::info!(app.id = target.app_id, error = %error.without_url(), "callback cannot be reached");
            false
        }
    }
}
