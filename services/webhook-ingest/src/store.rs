use std::{sync::Arc, time::Duration};

use domain::{Clock, EventId, FlowId, Lane, WorkId, WorkKind};
use queue::Broker;
use sha2::{Digest, Sha256};
use storage::{
    Database, GroupCommit, Result,
    events::{NewEvent, insert_events},
    work::{self, NewWork},
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{IngestConfig, metrics};

/// Events of one app are spread over this many flows, so that several workers share them.
const SHARDS: u8 = 16;
/// Stored events that may wait to be published; beyond it the release lease brings them in.
const UNPUBLISHED: usize = 10_000;
/// Events that one broker message names at most.
const HINT_SIZE: usize = 64;

/// Stores events and their work, many webhooks to a transaction, and publishes what was committed.
#[derive(Clone)]
pub(crate) struct EventStore {
    group: GroupCommit<(NewEvent, NewWork), ()>,
}

impl EventStore {
    /// The store, and the two loops that must run for it.
    pub(crate) fn new(
        database: Database,
        broker: Broker,
        clock: Arc<dyn Clock>,
        config: &IngestConfig,
    ) -> (
        Self,
        impl Future<Output = ()> + Send + use<>,
        impl Future<Output = ()> + Send + use<>,
    ) {
        let (committed, to_publish) = mpsc::channel::<WorkId>(UNPUBLISHED);
        let store = Arc::new(Committer {
            database,
            broker: broker.clone(),
            clock,
            lease: config.release_lease,
            committed,
        });
        let (group, commit) = GroupCommit::new(config.max_batch as usize, move |batch| {
            let store = Arc::clone(&store);
            async move { store.commit(batch).await }
        });
        (Self { group }, commit, publish(broker, to_publish))
    }

    /// Returns when the event is durable.
    pub(crate) async fn insert(
        &self,
        event: NewEvent,
        traceparent: Option<String>,
        patience: Duration,
    ) -> Result<()> {
        let work = work_of(&event, traceparent);
        self.group.submit((event, work), patience).await
    }
}

fn work_of(event: &NewEvent, traceparent: Option<String>) -> NewWork {
    NewWork {
        id: WorkId::new_at(event.received_at),
        kind: WorkKind::Event,
        flow: flow_of(&event.app_key, event.id),
        lane: Lane::Report,
        subject: event.id.as_uuid(),
        tenant_id: None,
        pair: None,
        due_at: event.received_at,
        expires_at: None,
        traceparent,
        created_at: event.received_at,
    }
}

/// The same few flows for an app, always.
fn flow_of(app_key: &str, event: EventId) -> FlowId {
    let shard = event
        .as_uuid()
        .as_u128()
        .to_be_bytes()
        .last()
        .copied()
        .unwrap_or_default()
        % SHARDS;
    let digest = Sha256::new()
        .chain_update([shard])
        .chain_update(app_key)
        .finalize();
    let bytes = digest.first_chunk::<16>().copied().unwrap_or_default();
    FlowId::from_uuid(Uuid::from_bytes(bytes))
}

/// Commits batches and hands them on to be published.
struct Committer {
    database: Database,
    broker: Broker,
    clock: Arc<dyn Clock>,
    lease: Duration,
    committed: mpsc::Sender<WorkId>,
}

impl Committer {
    async fn commit(&self, batch: Vec<(NewEvent, NewWork)>) -> Result<Vec<()>> {
        let (events, works): (Vec<NewEvent>, Vec<NewWork>) = batch.into_iter().unzip();
        // Born released, because we publish the hint ourselves; if that fails, the lease brings the event in. Where
        // publishing does not keep up, the workers release what they can take.
        let publishes = self.broker.is_connected() && self.committed.capacity() > UNPUBLISHED / 2;
        let lease_until = publishes.then(|| self.clock.now() + self.lease);
        let mut tx = self.database.begin().await?;
        insert_events(&mut tx, &events).await?;
        work::insert(&mut tx, &works, lease_until).await?;
        self.database.commit(tx).await?;
        failpoints::reach("ingest.committed");
        for work in works.iter().filter(|_| publishes) {
            if self.committed.try_send(work.id).is_err() {
                metrics::hints_dropped(1);
            }
        }
        Ok(vec![(); works.len()])
    }
}

async fn publish(broker: Broker, mut committed: mpsc::Receiver<WorkId>) {
    let mut batch = Vec::with_capacity(HINT_SIZE * 8);
    while committed.recv_many(&mut batch, HINT_SIZE * 8).await > 0 {
        let hints: Vec<(WorkId, i32)> = batch.drain(..).map(|id| (id, 0)).collect();
        let failed = dispatch::publish_hints(&broker, WorkKind::Event, &hints, HINT_SIZE).await;
        failpoints::reach("ingest.published");
        if !failed.is_empty() {
            metrics::hints_dropped(failed.len());
        }
    }
}
