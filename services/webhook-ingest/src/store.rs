use std::{sync::Arc, time::Duration};

use domain::{Clock, EventId, FlowId, WorkId, WorkKind};
use queue::Broker;
use sha2::{Digest, Sha256};
use storage::{
    Database, GroupCommit, Result,
    events::{NewEvent, insert_events},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use crate::{IngestConfig, metrics};

/// Events of one app are spread over this many flows, so that several workers share them.
const SHARDS: u8 = 16;
/// Stored events that may wait to be published; beyond it the release lease brings them in.
const UNPUBLISHED: usize = 10_000;
/// Events that one broker message names at most.
const HINT_SIZE: usize = 64;
/// In a busy time stored events wait so long for others, to share broker messages with them.
const GATHERING: Duration = Duration::from_millis(10);

/// Stores events and their work, many webhooks to a transaction, and publishes what was committed.
#[derive(Clone)]
pub(crate) struct EventStore {
    group: GroupCommit<Arc<NewEvent>, ()>,
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
    pub(crate) async fn insert(&self, event: NewEvent, patience: Duration) -> Result<()> {
        self.group.submit(Arc::new(event), patience).await
    }
}

/// The same few flows for an app, always.
pub(crate) fn flow_of(app_key: &str, event: EventId) -> FlowId {
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
    async fn commit(&self, batch: Vec<Arc<NewEvent>>) -> Result<Vec<()>> {
        let events: Vec<&NewEvent> = batch.iter().map(Arc::as_ref).collect();
        // Born released, because we publish the hint ourselves; if that fails, the lease brings the event in. Where
        // publishing does not keep up, the workers release what they can take.
        let publishes = self.broker.is_connected() && self.committed.capacity() > UNPUBLISHED / 2;
        let lease_until = publishes.then(|| self.clock.now() + self.lease);
        let mut connection = self.database.acquire().await?;
        // One statement is a transaction. Should its answer be lost, the provider sends the events again, which is no harm.
        insert_events(&mut connection, &events, lease_until).await?;
        failpoints::reach("ingest.committed");
        for event in events.iter().filter(|_| publishes) {
            if self.committed.try_send(event.work).is_err() {
                metrics::hints_dropped(1);
            }
        }
        Ok(vec![(); events.len()])
    }
}

async fn publish(broker: Broker, mut committed: mpsc::Receiver<WorkId>) {
    let most = HINT_SIZE * 8;
    let mut batch = Vec::with_capacity(most);
    let mut gathered_until = Instant::now();
    while committed.recv_many(&mut batch, most).await > 0 {
        sleep_until(gathered_until).await;
        while batch.len() < most
            && let Ok(more) = committed.try_recv()
        {
            batch.push(more);
        }
        gathered_until = Instant::now() + GATHERING;
        let hints: Vec<(WorkId, i32)> = batch.drain(..).map(|id| (id, 0)).collect();
        let failed = dispatch::publish_hints(&broker, WorkKind::Event, &hints, HINT_SIZE).await;
        failpoints::reach("ingest.published");
        if !failed.is_empty() {
            metrics::hints_dropped(failed.len());
        }
    }
}
