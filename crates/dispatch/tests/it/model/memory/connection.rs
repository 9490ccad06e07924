use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    future::Future,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use dispatch::Statements;
use domain::{PARTITIONS, Scope, WorkId, WorkKind};
use storage::{
    Result,
    work::{
        Candidate, Claim, Finished, FlowPermits, InFlight, NewPause, Ownership, Pause, WaitingFlow,
    },
};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::model::clock::{pass, since_start};

use super::{
    Memory, Shared, lock, serve,
    tables::{Answer, Blocked, Tables, Tx},
};

/// What a releaser has done since it took its connection.
pub(crate) struct Turn {
    pub(crate) began: Duration,
    pub(crate) tried: BTreeSet<Scope>,
}

/// A connection in somebody's hands.
pub(crate) struct Session(Connection);

impl Session {
    pub(crate) fn new(store: Memory, tx: Option<Tx>) -> Self {
        let turn = Turn {
            began: since_start(),
            tried: BTreeSet::new(),
        };
        Self(Connection {
            store,
            tx,
            turn: Arc::new(Mutex::new(turn)),
        })
    }
}

impl Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

pub(crate) struct Connection {
    store: Memory,
    /// `None`: each statement commits by itself.
    tx: Option<Tx>,
    turn: Arc<Mutex<Turn>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(tx) = self.tx {
            self.store.abandon(tx);
        }
    }
}

/// Where a statement is carried out.
pub(super) struct Server<'a> {
    shared: &'a Shared,
    /// Nobody waits for the answer any more.
    is_late: bool,
}

impl Server<'_> {
    /// Work was released, or claimed by its releaser.
    fn handed_out(
        &self,
        tables: &Tables,
        tx: Tx,
        work: &[WorkId],
        (turn, now): (&Turn, DateTime<Utc>),
    ) {
        let history = &self.shared.history;
        history.releasing(tables, tx, work, (turn, now));
        if self.is_late {
            history.released_late(work);
        }
    }
}

/// A statement: it either needs a row that is locked, or is carried out at once.
pub(super) trait Statement<R>:
    FnMut(&mut Tables, Tx, &Server<'_>) -> Answer<R> + Send + 'static
{
}

impl<R, F: FnMut(&mut Tables, Tx, &Server<'_>) -> Answer<R> + Send + 'static> Statement<R> for F {}

impl Connection {
    /// The server's part goes on when the caller waits no longer.
    pub(super) async fn run<R: Send + 'static>(
        &mut self,
        statement: impl Statement<R>,
    ) -> Result<R> {
        let fate = self.store.draw_fate();
        if !fate.arrives {
            pass(fate.before).await;
            return Err(storage::Error::silent());
        }
        let (answer, answered) = oneshot::channel();
        let (store, tx) = (self.store.clone(), self.tx);
        serve(async move {
            pass(fate.before).await;
            let of_statement = tx.unwrap_or_else(|| lock(&store.0.tables).begin());
            let is_late = || answer.is_closed();
            let Some(result) = store.carry_out(of_statement, statement, is_late).await else {
                return;
            };
            if tx.is_none() {
                pass(fate.after).await;
                store.end(of_statement, true);
            }
            if fate.is_answered {
                answer.send(result).ok();
            }
        });
        answered.await.map_err(|_| storage::Error::silent())
    }
}

impl Memory {
    /// `None` if its transaction was rolled back while it waited.
    async fn carry_out<R>(
        &self,
        tx: Tx,
        mut statement: impl Statement<R>,
        is_late: impl Fn() -> bool,
    ) -> Option<R> {
        loop {
            let unlocked = self.0.unlocked.notified();
            let server = Server {
                shared: &self.0,
                is_late: is_late(),
            };
            let result = {
                let mut tables = lock(&self.0.tables);
                if tables.is_rolled_back(tx) {
                    return None;
                }
                statement(&mut tables, tx, &server)
            };
            match result {
                Ok(result) => return Some(result),
                Err(Blocked) => unlocked.await,
            }
        }
    }
}

impl Connection {
    /// Somebody else ends its transaction.
    pub(crate) fn give_up(&mut self) -> Option<Tx> {
        self.tx.take()
    }

    /// Takes free partitions in this order.
    pub(crate) async fn hold_in_order(
        &mut self,
        (kind, replica): (WorkKind, Uuid),
        (now, lease_until): (DateTime<Utc>, DateTime<Utc>),
        order: Vec<i16>,
    ) -> Result<Ownership> {
        self.run(move |tables, tx, _| {
            tables.hold_partitions(tx, (kind, replica), (now, lease_until), &order)
        })
        .await
    }

    pub(crate) fn lift_pauses(
        &mut self,
        kind: WorkKind,
        proven: BTreeMap<Scope, DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Scope>>> + Send {
        self.run(move |tables, tx, _| tables.lift_pauses(tx, kind, &proven, now))
    }
}

impl Statements for Connection {
    async fn hold_partitions(
        &mut self,
        kind: WorkKind,
        replica: Uuid,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Ownership> {
        let mut order: Vec<i16> = (0..PARTITIONS).collect();
        lock(&self.store.0.rng).shuffle(&mut order);
        self.hold_in_order((kind, replica), (now, lease_until), order)
            .await
    }

    async fn yield_partitions(&mut self, kind: WorkKind, replica: Uuid) -> Result<()> {
        self.run(move |tables, tx, _| tables.yield_partitions(tx, kind, replica))
            .await
    }

    async fn list_waiting_flows(
        &mut self,
        _: WorkKind,
        partitions: &[i16],
    ) -> Result<Vec<WaitingFlow>> {
        let partitions = partitions.to_vec();
        self.run(move |tables, tx, _| Ok(tables.list_waiting_flows(tx, &partitions)))
            .await
    }

    async fn list_in_flight(&mut self, _: WorkKind, partitions: &[i16]) -> Result<Vec<InFlight>> {
        let partitions = partitions.to_vec();
        self.run(move |tables, tx, _| Ok(tables.list_in_flight(tx, &partitions)))
            .await
    }

    async fn count_released(&mut self, _: WorkKind, partitions: &[i16]) -> Result<u32> {
        let partitions = partitions.to_vec();
        self.run(move |tables, tx, _| Ok(tables.count_released(tx, &partitions)))
            .await
    }

    async fn list_pauses(&mut self, scopes: &[Scope]) -> Result<Vec<Pause>> {
        if scopes.is_empty() {
            return Ok(Vec::new());
        }
        let scopes = scopes.to_vec();
        self.run(move |tables, tx, _| Ok(tables.list_pauses(tx, &scopes)))
            .await
    }

    async fn try_pauses(
        &mut self,
        scopes: &[Scope],
        now: DateTime<Utc>,
        tried_until: DateTime<Utc>,
    ) -> Result<Vec<Scope>> {
        let scopes = scopes.to_vec();
        let turn = Arc::clone(&self.turn);
        self.run(move |tables, tx, _| {
            let taken = tables.try_pauses(tx, &scopes, (now, tried_until));
            lock(&turn).tried.extend(taken.iter().cloned());
            Ok(taken)
        })
        .await
    }

    async fn probe_held(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.run(move |tables, tx, _| tables.probe_held(tx, now))
            .await
    }

    async fn pick_due(
        &mut self,
        _: WorkKind,
        flows: &[FlowPermits],
        now: DateTime<Utc>,
    ) -> Result<Vec<Candidate>> {
        let flows = flows.to_vec();
        self.run(move |tables, tx, _| Ok(tables.pick_due(tx, &flows, now)))
            .await
    }

    async fn postpone(&mut self, work: &[(WorkId, DateTime<Utc>)], _: &str) -> Result<()> {
        let work = work.to_vec();
        self.run(move |tables, tx, _| tables.postpone(tx, &work))
            .await
    }

    async fn release(
        &mut self,
        owner: Uuid,
        work: &[WorkId],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<WorkId>> {
        let work = work.to_vec();
        let turn = Arc::clone(&self.turn);
        self.run(move |tables, tx, server| {
            let released = tables.release(tx, owner, &work, (now, lease_until))?;
            server.handed_out(tables, tx, &released, (&lock(&turn), now));
            Ok(released)
        })
        .await
    }

    async fn claim_due(
        &mut self,
        owner: Uuid,
        work: &[WorkId],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<Claim>> {
        let work = work.to_vec();
        let turn = Arc::clone(&self.turn);
        self.run(move |tables, tx, server| {
            let claims = tables.claim_due(tx, owner, &work, (now, lease_until))?;
            let ids: Vec<WorkId> = claims.iter().map(|it| it.id).collect();
            server.handed_out(tables, tx, &ids, (&lock(&turn), now));
            Ok(claims)
        })
        .await
    }

    async fn reclaim_released(
        &mut self,
        _: WorkKind,
        partitions: &[i16],
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let partitions = partitions.to_vec();
        self.run(move |tables, tx, _| Ok(tables.reclaim_released(tx, &partitions, now)))
            .await
    }

    async fn claim_abandoned(
        &mut self,
        _: WorkKind,
        partitions: &[i16],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<Claim>> {
        let partitions = partitions.to_vec();
        self.run(move |tables, tx, _| {
            Ok(tables.claim_abandoned(tx, &partitions, (now, lease_until)))
        })
        .await
    }

    async fn claim(
        &mut self,
        work: &[(WorkId, i32)],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<Claim>> {
        let work = work.to_vec();
        self.run(move |tables, tx, _| Ok(tables.claim(tx, &work, (now, lease_until))))
            .await
    }

    async fn begin(
        &mut self,
        claims: &[(WorkId, i32)],
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<(WorkId, i32)>> {
        let claims = claims.to_vec();
        self.run(move |tables, tx, _| tables.begin_claims(tx, &claims, lease_until))
            .await
    }

    async fn list_begun(&mut self, claims: &[(WorkId, i32)]) -> Result<HashSet<WorkId>> {
        let claims = claims.to_vec();
        self.run(move |tables, tx, _| tables.list_begun(tx, &claims))
            .await
    }

    async fn insert_pauses(&mut self, pauses: &[NewPause], now: DateTime<Utc>) -> Result<()> {
        let pauses = pauses.to_vec();
        self.run(move |tables, tx, _| tables.insert_pauses(tx, &pauses, now))
            .await
    }

    async fn finish(&mut self, finished: &[Finished], _: DateTime<Utc>) -> Result<HashSet<WorkId>> {
        let finished = finished.to_vec();
        self.run(move |tables, tx, _| tables.finish(tx, &finished))
            .await
    }
}
