use std::{
    collections::HashSet, convert::Infallible, future::Future, ops::DerefMut, time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Scope, WorkId, WorkKind};
use storage::{
    Database, PooledConnection, Result, Transaction, WorkListener, WorkSignal,
    work::{
        self, Candidate, Claim, Finished, FlowPermits, InFlight, NewPause, Ownership, Pause,
        WaitingFlow,
    },
};
use uuid::Uuid;

use crate::Handler;

/// What a handler's store runs its statements on.
pub(crate) type Connection<H> = <<H as Handler>::Store as WorkStore>::Connection;

/// A store that has fallen silent must not stop what comes after.
pub(crate) async fn in_time<T>(
    limit: Duration,
    asking: impl Future<Output = Result<T>>,
) -> Result<T> {
    let answer = tokio::time::timeout(limit, asking).await;
    answer.map_err(|_| storage::Error::silent())?
}

/// Where work is kept: PostgreSQL, and in model tests a memory whose latency, failures and crashes are drawn from a seed.
pub trait WorkStore: Clone + Send + Sync + 'static {
    /// What statements run on.
    type Connection: Statements;
    /// A connection whose statements each commit by themselves.
    type Session: DerefMut<Target = Self::Connection> + Send;
    /// A connection whose statements commit together, or not at all when it is dropped.
    type Transaction: DerefMut<Target = Self::Connection> + Send;

    fn acquire(&self) -> impl Future<Output = Result<Self::Session>> + Send;

    fn begin(&self) -> impl Future<Output = Result<Self::Transaction>> + Send;

    /// Takes as long as it takes to find out whether it is committed, within limits of its own.
    fn commit(&self, tx: Self::Transaction) -> impl Future<Output = Result<()>> + Send;

    /// Waits until it can be asked, however long that takes.
    fn until_reachable(&self) -> impl Future<Output = ()> + Send;

    /// Calls `heard` for each signal that there may be work, and with `None` when signals may have been missed.
    /// Ends when it cannot listen any more.
    fn listen(
        &self,
        heard: impl FnMut(Option<WorkSignal>) + Send,
    ) -> impl Future<Output = Result<Infallible>> + Send;
}

/// The engine's statements; [`storage::work`] says what each does.
pub trait Statements: Send {
    fn hold_partitions(
        &mut self,
        kind: WorkKind,
        replica: Uuid,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> impl Future<Output = Result<Ownership>> + Send;

    fn yield_partitions(
        &mut self,
        kind: WorkKind,
        replica: Uuid,
    ) -> impl Future<Output = Result<()>> + Send;

    fn list_waiting_flows(
        &mut self,
        kind: WorkKind,
        partitions: &[i16],
    ) -> impl Future<Output = Result<Vec<WaitingFlow>>> + Send;

    fn list_in_flight(
        &mut self,
        kind: WorkKind,
        partitions: &[i16],
    ) -> impl Future<Output = Result<Vec<InFlight>>> + Send;

    fn count_released(
        &mut self,
        kind: WorkKind,
        partitions: &[i16],
    ) -> impl Future<Output = Result<u32>> + Send;

    fn list_pauses(&mut self, scopes: &[Scope]) -> impl Future<Output = Result<Vec<Pause>>> + Send;

    fn try_pauses(
        &mut self,
        scopes: &[Scope],
        now: DateTime<Utc>,
        tried_until: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Scope>>> + Send;

    fn probe_held(&mut self, now: DateTime<Utc>) -> impl Future<Output = Result<u64>> + Send;

    fn pick_due(
        &mut self,
        kind: WorkKind,
        flows: &[FlowPermits],
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Candidate>>> + Send;

    fn postpone(
        &mut self,
        work: &[(WorkId, DateTime<Utc>)],
        reason: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    fn release(
        &mut self,
        owner: Uuid,
        work: &[WorkId],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<WorkId>>> + Send;

    fn claim_due(
        &mut self,
        owner: Uuid,
        work: &[WorkId],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Claim>>> + Send;

    fn reclaim_released(
        &mut self,
        kind: WorkKind,
        partitions: &[i16],
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<u64>> + Send;

    fn claim_abandoned(
        &mut self,
        kind: WorkKind,
        partitions: &[i16],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Claim>>> + Send;

    fn claim(
        &mut self,
        work: &[(WorkId, i32)],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Claim>>> + Send;

    fn begin(
        &mut self,
        claims: &[(WorkId, i32)],
        lease_until: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<(WorkId, i32)>>> + Send;

    fn list_begun(
        &mut self,
        claims: &[(WorkId, i32)],
    ) -> impl Future<Output = Result<HashSet<WorkId>>> + Send;

    fn insert_pauses(
        &mut self,
        pauses: &[NewPause],
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    fn finish(
        &mut self,
        finished: &[Finished],
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<HashSet<WorkId>>> + Send;
}

impl WorkStore for Database {
    type Connection = storage::Connection;
    type Session = PooledConnection;
    type Transaction = Transaction;

    async fn acquire(&self) -> Result<PooledConnection> {
        Self::acquire(self).await
    }

    async fn begin(&self) -> Result<Transaction> {
        Self::begin(self).await
    }

    async fn commit(&self, tx: Transaction) -> Result<()> {
        Self::commit(self, tx).await
    }

    async fn until_reachable(&self) {
        Self::until_reachable(self).await;
    }

    async fn listen(&self, mut heard: impl FnMut(Option<WorkSignal>) + Send) -> Result<Infallible> {
        let mut listener = WorkListener::connect(self).await?;
        heard(None);
        loop {
            heard(listener.next().await?);
        }
    }
}

impl Statements for storage::Connection {
    async fn hold_partitions(
        &mut self,
        kind: WorkKind,
        replica: Uuid,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Ownership> {
        work::hold_partitions(self, kind, replica, now, lease_until).await
    }

    async fn yield_partitions(&mut self, kind: WorkKind, replica: Uuid) -> Result<()> {
        work::yield_partitions(self, kind, replica).await
    }

    async fn list_waiting_flows(
        &mut self,
        kind: WorkKind,
        partitions: &[i16],
    ) -> Result<Vec<WaitingFlow>> {
        work::list_waiting_flows(self, kind, partitions).await
    }

    async fn list_in_flight(
        &mut self,
        kind: WorkKind,
        partitions: &[i16],
    ) -> Result<Vec<InFlight>> {
        work::list_in_flight(self, kind, partitions).await
    }

    async fn count_released(&mut self, kind: WorkKind, partitions: &[i16]) -> Result<u32> {
        work::count_released(self, kind, partitions).await
    }

    async fn list_pauses(&mut self, scopes: &[Scope]) -> Result<Vec<Pause>> {
        work::list_pauses(self, scopes).await
    }

    async fn try_pauses(
        &mut self,
        scopes: &[Scope],
        now: DateTime<Utc>,
        tried_until: DateTime<Utc>,
    ) -> Result<Vec<Scope>> {
        work::try_pauses(self, scopes, now, tried_until).await
    }

    async fn probe_held(&mut self, now: DateTime<Utc>) -> Result<u64> {
        work::probe_held(self, now).await
    }

    async fn pick_due(
        &mut self,
        kind: WorkKind,
        flows: &[FlowPermits],
        now: DateTime<Utc>,
    ) -> Result<Vec<Candidate>> {
        work::pick_due(self, kind, flows, now).await
    }

    async fn postpone(&mut self, work: &[(WorkId, DateTime<Utc>)], reason: &str) -> Result<()> {
        work::postpone(self, work, reason).await
    }

    async fn release(
        &mut self,
        owner: Uuid,
        work: &[WorkId],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<WorkId>> {
        work::release(self, owner, work, now, lease_until).await
    }

    async fn claim_due(
        &mut self,
        owner: Uuid,
        work: &[WorkId],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<Claim>> {
        work::claim_due(self, owner, work, now, lease_until).await
    }

    async fn reclaim_released(
        &mut self,
        kind: WorkKind,
        partitions: &[i16],
        now: DateTime<Utc>,
    ) -> Result<u64> {
        work::reclaim_released(self, kind, partitions, now).await
    }

    async fn claim_abandoned(
        &mut self,
        kind: WorkKind,
        partitions: &[i16],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<Claim>> {
        work::claim_abandoned(self, kind, partitions, now, lease_until).await
    }

    async fn claim(
        &mut self,
        work: &[(WorkId, i32)],
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<Claim>> {
        work::claim(self, work, now, lease_until).await
    }

    async fn begin(
        &mut self,
        claims: &[(WorkId, i32)],
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<(WorkId, i32)>> {
        work::begin(self, claims, lease_until).await
    }

    async fn list_begun(&mut self, claims: &[(WorkId, i32)]) -> Result<HashSet<WorkId>> {
        work::list_begun(self, claims).await
    }

    async fn insert_pauses(&mut self, pauses: &[NewPause], now: DateTime<Utc>) -> Result<()> {
        work::insert_pauses(self, pauses, now).await
    }

    async fn finish(
        &mut self,
        finished: &[Finished],
        now: DateTime<Utc>,
    ) -> Result<HashSet<WorkId>> {
        work::finish(self, finished, now).await
    }
}
