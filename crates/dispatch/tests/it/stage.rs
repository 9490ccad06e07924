//! What the tests share: a database, a broker, a clock, work, and engines that run over them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dispatch::{Deps, Engine, Settings};
use domain::{Clock, FlowId, Lane, MockClock, PARTITIONS, SystemClock, TenantId, WorkId, WorkKind};
use queue::Broker;
use storage::{
    Database, Transaction,
    work::{NewWork, hold_partitions, insert},
};
use testkit::{TestDatabase, database, eventually};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::script::Script;

/// Long enough for a loaded machine; no test that passes comes near it.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Stage {
    pub(crate) database: Database,
    pub(crate) broker: Broker,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) test: TestDatabase,
}

/// Leases are long, and end only when a test moves the clock.
pub(crate) fn settings() -> Settings {
    Settings {
        poll: Duration::from_millis(20),
        partition_lease: Duration::from_secs(15),
        ..Settings::default()
    }
}

pub(crate) async fn stage() -> Stage {
    let test = database().await;
    Stage {
        database: connect(&test.worker_url),
        broker: Broker::in_process(),
        clock: Arc::new(MockClock::new(SystemClock.now())),
        test,
    }
}

pub(crate) fn connect(url: &str) -> Database {
    Database::connect(url, 12, Duration::from_secs(5)).unwrap()
}

pub(crate) fn any_flow() -> FlowId {
    FlowId::from_uuid(Uuid::new_v4())
}

impl Stage {
    pub(crate) fn deps(&self) -> Deps {
        Deps {
            database: self.database.clone(),
            broker: self.broker.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn engine(&self, script: &Script) -> Running {
        Running::start(script, self.deps(), settings())
    }

    pub(crate) async fn begin(&self) -> Transaction {
        self.database.begin().await.unwrap()
    }

    pub(crate) fn new_work(&self, flow: FlowId) -> NewWork {
        let now = self.clock.now();
        NewWork {
            id: WorkId::new_at(now),
            kind: WorkKind::Send,
            flow,
            lane: Lane::Report,
            subject: Uuid::new_v4(),
            tenant_id: Some(TenantId::new_at(now)),
            pair: None,
            due_at: now,
            expires_at: None,
            traceparent: None,
            created_at: now,
        }
    }

    /// Work that is due.
    pub(crate) async fn add(&self, flow: FlowId, count: usize) -> Vec<WorkId> {
        let works: Vec<NewWork> = (0..count).map(|_| self.new_work(flow)).collect();
        self.insert(&works).await
    }

    pub(crate) async fn insert(&self, works: &[NewWork]) -> Vec<WorkId> {
        let mut tx = self.begin().await;
        insert(&mut tx, works, None).await.unwrap();
        tx.commit().await.unwrap();
        works.iter().map(|work| work.id).collect()
    }

    pub(crate) async fn count(&self, from: &str) -> i64 {
        let query = format!("select count(*) as n from {from}");
        self.test.rows(&query).await[0]["n"].as_i64().unwrap()
    }

    pub(crate) async fn until_count(&self, from: &str, count: i64) {
        eventually(LIMIT, async || {
            let seen = self.count(from).await;
            if seen == count { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    /// Lets the engine share its partitions with one that does nothing; a flow that stays the engine's.
    pub(crate) async fn another_comes(&self) -> FlowId {
        let other = Uuid::new_v4();
        let hold = async || {
            let mut tx = self.begin().await;
            let now = self.clock.now();
            let lease = now + Duration::from_secs(15);
            let held = hold_partitions(&mut tx, WorkKind::Send, other, now, lease).await;
            tx.commit().await.unwrap();
            held.unwrap().partitions()
        };
        let half = usize::from(PARTITIONS.unsigned_abs()) / 2;
        eventually(LIMIT, async || hold().await.len() == half).await;
        let theirs = hold().await;
        let mut flows = std::iter::repeat_with(any_flow);
        flows
            .find(|it| !theirs.contains(&it.partition()))
            .expect("flows of every partition")
    }

    /// Until all work is done and gone.
    pub(crate) async fn until_empty(&self) {
        self.until_count("work", 0).await;
    }

    /// A column of one work row, as text.
    pub(crate) async fn work(&self, id: WorkId, column: &str) -> Option<String> {
        let query = format!(
            "select {column}::text as it from work where id = '{}'",
            id.as_uuid()
        );
        let rows = self.test.rows(&query).await;
        Some(rows.first()?["it"].as_str()?.to_owned())
    }
}

/// An engine at work. Dropped, it dies as a process does that is killed.
pub(crate) struct Running {
    tasks: JoinSet<()>,
    pub(crate) stop: CancellationToken,
    pub(crate) give_up: CancellationToken,
    turns: Arc<AtomicUsize>,
}

impl Running {
    pub(crate) fn start(script: &Script, deps: Deps, settings: Settings) -> Self {
        let (stop, give_up) = (CancellationToken::new(), CancellationToken::new());
        let turns = Arc::new(AtomicUsize::new(0));
        let alive = Arc::clone(&turns);
        let mut tasks = JoinSet::new();
        tasks.spawn(Engine::new(script.clone(), deps, settings).run(
            stop.clone(),
            give_up.clone(),
            move || {
                alive.fetch_add(1, Ordering::SeqCst);
            },
        ));
        Self {
            tasks,
            stop,
            give_up,
            turns,
        }
    }

    pub(crate) fn turns(&self) -> usize {
        self.turns.load(Ordering::SeqCst)
    }

    /// Until the releaser has looked at least once more at all that there was before this call.
    pub(crate) async fn look(&self) {
        let seen = self.turns();
        eventually(LIMIT, async || self.turns() >= seen + 3).await;
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.tasks.try_join_next().is_some() || self.tasks.is_empty()
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) {
        let ended = timeout(LIMIT, self.tasks.join_next()).await;
        ended.expect("the engine ends").unwrap().unwrap();
    }

    /// Stops in good order.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        self.ended().await;
    }

    /// As `kill -9`: nothing runs any more when this returns.
    pub(crate) async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}
