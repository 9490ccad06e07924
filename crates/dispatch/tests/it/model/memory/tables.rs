//! Rows with their locks and versions, as transactions of PostgreSQL at READ COMMITTED see them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::{FlowId, Lane, Losses, Scope, TenantId, WorkId, WorkKind};
use storage::{
    News, WorkSignal,
    work::{Claim, NewWork},
};
use uuid::Uuid;

/// A transaction; a statement that runs by itself is one, too.
pub(crate) type Tx = u64;

/// The statement needs a row that another transaction has locked, and has changed nothing.
pub(crate) struct Blocked;

pub(crate) type Answer<R> = Result<R, Blocked>;

/// A row's last commit, and what the one transaction that has it locked makes of it.
#[derive(Debug)]
struct Slot<V> {
    committed: Option<V>,
    locked: Option<(Tx, Option<V>)>,
}

#[derive(Debug)]
pub(crate) struct Table<K, V>(BTreeMap<K, Slot<V>>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(crate) fn get(&self, tx: Tx, key: &K) -> Option<&V> {
        self.0.get(key)?.seen_by(tx)
    }

    pub(crate) fn rows(&self, tx: Tx) -> impl Iterator<Item = (&K, &V)> {
        self.0
            .iter()
            .filter_map(move |(key, slot)| Some((key, slot.seen_by(tx)?)))
    }

    /// What everybody sees.
    pub(crate) fn committed(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0
            .iter()
            .filter_map(|(key, slot)| Some((key, slot.committed.as_ref()?)))
    }

    /// Whether another transaction has it locked.
    pub(crate) fn is_locked(&self, tx: Tx, key: &K) -> bool {
        let lock = self.0.get(key).and_then(|slot| slot.locked.as_ref());
        lock.is_some_and(|(holder, _)| *holder != tx)
    }

    /// The rows that this concerns, of which none is another's.
    pub(crate) fn matching(
        &self,
        tx: Tx,
        concerns: impl Fn(&K, &V) -> bool,
    ) -> Answer<Vec<(K, V)>> {
        let rows = self.rows(tx).filter(|(key, row)| concerns(key, row));
        let rows: Vec<(K, V)> = rows.map(|(key, row)| (key.clone(), row.clone())).collect();
        if rows.iter().any(|(key, _)| self.is_locked(tx, key)) {
            return Err(Blocked);
        }
        Ok(rows)
    }

    /// The rows that this concerns, but for those that are another's.
    pub(crate) fn unlocked(&self, tx: Tx, concerns: impl Fn(&K, &V) -> bool) -> Vec<(K, V)> {
        let rows = self
            .rows(tx)
            .filter(|(key, row)| concerns(key, row) && !self.is_locked(tx, key));
        rows.map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    /// Changes a row, or takes it away.
    pub(crate) fn put(&mut self, tx: Tx, key: K, row: Option<V>) {
        let slot = self.0.entry(key).or_insert(Slot {
            committed: None,
            locked: None,
        });
        slot.locked = Some((tx, row));
    }

    /// Ends a transaction; returns what it changed, before and after.
    fn end(&mut self, tx: Tx, commits: bool) -> Vec<(K, Option<V>, Option<V>)> {
        let mut changed = Vec::new();
        self.0.retain(|key, slot| {
            if let Some((_, row)) = slot.locked.take_if(|(holder, _)| *holder == tx)
                && commits
            {
                let before = std::mem::replace(&mut slot.committed, row.clone());
                changed.push((key.clone(), before, row));
            }
            slot.committed.is_some() || slot.locked.is_some()
        });
        changed
    }
}

impl<V> Slot<V> {
    fn seen_by(&self, tx: Tx) -> Option<&V> {
        match &self.locked {
            Some((holder, row)) if *holder == tx => row.as_ref(),
            _ => self.committed.as_ref(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Released,
    Claimed,
    Held(Scope),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) kind: WorkKind,
    pub(crate) flow: FlowId,
    pub(crate) lane: Lane,
    pub(crate) subject: Uuid,
    pub(crate) tenant_id: Option<TenantId>,
    pub(crate) pair: Option<Vec<u8>>,
    pub(crate) traceparent: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) state: State,
    pub(crate) due_at: DateTime<Utc>,
    pub(crate) lease_until: Option<DateTime<Utc>>,
    pub(crate) attempt: i32,
    pub(crate) failures: i32,
    pub(crate) losses: Losses,
    pub(crate) begun: bool,
}

impl Work {
    pub(crate) fn new(new: &NewWork) -> Self {
        Self {
            kind: new.kind,
            flow: new.flow,
            lane: new.lane,
            subject: new.subject,
            tenant_id: new.tenant_id,
            pair: new.pair.clone(),
            traceparent: new.traceparent.clone(),
            created_at: new.created_at,
            state: State::Waiting,
            due_at: new.due_at,
            lease_until: None,
            attempt: 0,
            failures: 0,
            losses: Losses::default(),
            begun: false,
        }
    }

    pub(crate) fn claim(&self, id: WorkId) -> Claim {
        Claim {
            id,
            kind: self.kind,
            flow: self.flow,
            lane: self.lane,
            subject: self.subject,
            tenant_id: self.tenant_id,
            attempt: self.attempt,
            failures: self.failures,
            losses: self.losses,
            begun: self.begun,
            traceparent: self.traceparent.clone(),
            created_at: self.created_at,
        }
    }

    pub(crate) fn is_out(&self) -> bool {
        matches!(self.state, State::Released | State::Claimed)
    }

    pub(crate) fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.lease_until.is_some_and(|until| until <= now)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PauseRow {
    pub(crate) strikes: i32,
    pub(crate) paused_at: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) tried_until: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) replica: Uuid,
    pub(crate) lease_until: DateTime<Utc>,
}

/// What a commit changed.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) work: Vec<(WorkId, Option<Work>, Option<Work>)>,
    pub(crate) pauses: Vec<(Scope, Option<PauseRow>, Option<PauseRow>)>,
    pub(crate) owners: Vec<(i16, Option<Owner>, Option<Owner>)>,
    pub(crate) signals: Vec<WorkSignal>,
}

/// The tables of one kind of work.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) work: Table<WorkId, Work>,
    pub(crate) dead_letters: Table<WorkId, String>,
    pub(crate) pauses: Table<Scope, PauseRow>,
    pub(crate) owners: Table<i16, Owner>,
    pub(crate) replicas: Table<Uuid, DateTime<Utc>>,
    /// Who keeps the owner of a partition from changing.
    shared: BTreeSet<(i16, Tx)>,
    /// Who is at dividing the partitions.
    pub(crate) dividing: Option<Tx>,
    signals: Vec<(Tx, WorkSignal)>,
    /// Transactions that were rolled back while a statement of theirs was on its way.
    rolled_back: BTreeSet<Tx>,
    last: Tx,
}

impl Tables {
    pub(crate) fn begin(&mut self) -> Tx {
        self.last += 1;
        self.last
    }

    pub(crate) fn is_rolled_back(&self, tx: Tx) -> bool {
        self.rolled_back.contains(&tx)
    }

    pub(crate) fn share(&mut self, tx: Tx, partition: i16) {
        self.shared.insert((partition, tx));
    }

    /// Whether another transaction keeps this owner from changing.
    pub(crate) fn is_shared(&self, tx: Tx, partition: i16) -> bool {
        let of_partition = (partition, Tx::MIN)..=(partition, Tx::MAX);
        self.shared
            .range(of_partition)
            .any(|(_, holder)| *holder != tx)
    }

    fn signal(&mut self, tx: Tx, signal: WorkSignal) {
        if !self.signals.contains(&(tx, signal)) {
            self.signals.push((tx, signal));
        }
    }

    pub(crate) fn signal_work(&mut self, tx: Tx, kind: WorkKind, partition: i16) {
        let news = News::Work(partition);
        self.signal(tx, WorkSignal { kind, news });
    }

    pub(crate) fn signal_room(&mut self, tx: Tx, kind: WorkKind, partition: i16) {
        let news = News::Room(partition);
        self.signal(tx, WorkSignal { kind, news });
    }

    pub(crate) fn signal_owners(&mut self, tx: Tx, kind: WorkKind) {
        let news = News::Owners;
        self.signal(tx, WorkSignal { kind, news });
    }

    pub(crate) fn end(&mut self, tx: Tx, commits: bool) -> Changes {
        if !commits {
            self.rolled_back.insert(tx);
        }
        self.shared.retain(|(_, holder)| *holder != tx);
        self.dividing.take_if(|holder| *holder == tx);
        self.replicas.end(tx, commits);
        self.dead_letters.end(tx, commits);
        let mut signals = Vec::new();
        self.signals.retain(|(of, signal)| {
            if *of == tx && commits {
                signals.push(*signal);
            }
            *of != tx
        });
        Changes {
            work: self.work.end(tx, commits),
            pauses: self.pauses.end(tx, commits),
            owners: self.owners.end(tx, commits),
            signals,
        }
    }
}
