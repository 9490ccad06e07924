use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{FlowId, Scope, WorkId, WorkKind};
use storage::work::{Candidate, Claim, FlowPermits, InFlight, WaitingFlow};
use uuid::Uuid;

use crate::{
    Deps, Handler, Settings, Statements, WorkStore,
    gates::{Gate, Gates},
    hints::publish_hints,
    metrics,
    pacing::Pacing,
    store::Connection,
};

/// Releases the due work of the partitions that this replica owns, at each flow's rate.
/// One task has it: that is what makes the token buckets exact.
pub(crate) struct Releaser<H: Handler> {
    handler: Arc<H>,
    kind: WorkKind,
    deps: Deps<H::Store>,
    settings: Settings,
    replica: Uuid,
    owned: Owned,
    pacing: Pacing,
}

/// The partitions we own, since when (monotonic), and for how long without renewing.
struct Owned {
    since: BTreeMap<i16, Duration>,
    until: Duration,
    renew_at: Duration,
}

/// What a turn needs to know of the instant at which it began.
#[derive(Clone, Copy)]
struct Instant {
    wall: DateTime<Utc>,
    monotonic: Duration,
}

impl<H: Handler> Releaser<H> {
    pub(crate) fn new(handler: Arc<H>, deps: Deps<H::Store>, settings: Settings) -> Self {
        let owned = Owned {
            since: BTreeMap::new(),
            until: Duration::ZERO,
            renew_at: Duration::ZERO,
        };
        let kind = handler.kind();
        Self {
            handler,
            kind,
            deps,
            settings,
            replica: Uuid::new_v4(),
            owned,
            pacing: Pacing::default(),
        }
    }

    /// Releases what may be released now. Returns how long nothing more will be due, if nobody says otherwise.
    pub(crate) async fn turn(&mut self) -> storage::Result<Duration> {
        let now = self.instant();
        self.renew(now).await?;
        let partitions: Vec<i16> = self.owned.since.keys().copied().collect();
        // Without a broker a hint would be lost; the row is better off waiting.
        if partitions.is_empty() || !self.deps.broker.is_connected() {
            return Ok(self.settings.poll);
        }
        let wake = self.release_due(&partitions, now).await?;
        let took = self.deps.clock.monotonic().saturating_sub(now.monotonic);
        metrics::turn(self.kind, took);
        Ok(wake.min(self.settings.poll))
    }

    /// The partitions whose expired leases are ours to look after.
    pub(crate) fn partitions(&self) -> Vec<i16> {
        self.owned.since.keys().copied().collect()
    }

    /// Lets the other replicas go on at once.
    pub(crate) async fn retire(&mut self) -> storage::Result<()> {
        self.owned.since.clear();
        let mut connection = self.deps.database.acquire().await?;
        connection.yield_partitions(self.kind, self.replica).await
    }

    fn instant(&self) -> Instant {
        Instant {
            wall: self.deps.clock.now(),
            monotonic: self.deps.clock.monotonic(),
        }
    }

    async fn renew(&mut self, now: Instant) -> storage::Result<()> {
        if now.monotonic < self.owned.renew_at {
            return Ok(());
        }
        if now.monotonic >= self.owned.until {
            self.owned.since.clear();
        }
        let lease = self.settings.partition_lease;
        let mut tx = self.deps.database.begin().await?;
        let ownership = tx
            .hold_partitions(self.kind, self.replica, now.wall, now.wall + lease)
            .await?;
        self.deps.database.commit(tx).await?;
        let earlier = std::mem::take(&mut self.owned.since);
        self.owned.since = ownership
            .partitions
            .iter()
            .map(|partition| {
                (
                    *partition,
                    earlier.get(partition).copied().unwrap_or(now.monotonic),
                )
            })
            .collect();
        self.owned.until = now.monotonic + lease;
        self.owned.renew_at = now.monotonic + lease / 3;
        let owned = &self.owned.since;
        // A partition that came back to us was another's in between: its buckets start anew.
        self.pacing.keep_only(|partition| {
            owned.contains_key(&partition) && earlier.contains_key(&partition)
        });
        metrics::partitions(self.kind, owned.len());
        Ok(())
    }

    async fn release_due(&mut self, partitions: &[i16], now: Instant) -> storage::Result<Duration> {
        let database = self.deps.database.clone();
        let mut connection = database.acquire().await?;
        let waiting = connection.list_waiting_flows(self.kind, partitions).await?;
        let due = due_flows(&waiting, now.wall);
        let mut wake = next_due(&waiting, now.wall);
        if due.is_empty() {
            return Ok(wake);
        }
        let in_flight = connection.list_in_flight(self.kind, partitions).await?;
        let in_flight: HashMap<FlowId, InFlight> =
            in_flight.into_iter().map(|it| (it.flow, it)).collect();
        self.refresh_limits(&due, now).await?;
        let gates = self.gates(&mut connection, &due).await?;
        let mut permits = Vec::with_capacity(due.len());
        let mut trying = Vec::new();
        for flow in due {
            let in_flight = in_flight.get(&flow).copied().unwrap_or(InFlight {
                flow,
                unused: 0,
                out: 0,
            });
            let most = self.pacing.permits(in_flight, now.monotonic);
            let may_try = most > 0 && in_flight.out == 0;
            match gates.pass(self.pacing.scopes(flow), may_try, now.wall) {
                Gate::Open => permits.push(FlowPermits {
                    flow,
                    permits: most,
                }),
                Gate::Try(scopes) => trying.push((flow, scopes)),
                Gate::Shut(until) => {
                    wake = until.map_or(wake, |until| wake.min(until_then(until, now.wall)));
                }
            }
        }
        permits.extend(self.take_turns(&mut connection, trying, now).await?);
        let open: Vec<FlowPermits> = permits.iter().copied().filter(|p| p.permits > 0).collect();
        if !open.is_empty() {
            let candidates = connection.pick_due(self.kind, &open, now.wall).await?;
            if self.release(&mut connection, candidates, now).await? {
                // What was behind the postponed may go now.
                wake = Duration::ZERO;
            }
        }
        // A flow that waits for its window, not for a token, is woken by the outcome that makes room.
        let refilled = permits
            .iter()
            .filter_map(|p| self.pacing.refilled_at(p.flow, now.monotonic))
            .map(|at| at.saturating_sub(now.monotonic));
        Ok(refilled
            .fold(wake, Duration::min)
            .max(Duration::from_millis(1)))
    }

    /// One message each for the flows that got the turn to try all that was paused for them.
    async fn take_turns(
        &self,
        connection: &mut Connection<H>,
        trying: Vec<(FlowId, Vec<Scope>)>,
        now: Instant,
    ) -> storage::Result<Vec<FlowPermits>> {
        let mut scopes: Vec<Scope> = trying.iter().flat_map(|it| it.1.clone()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let tried_until = now.wall + self.settings.release_lease * 2;
        let taken = connection
            .try_pauses(&scopes, now.wall, tried_until)
            .await?;
        let mut free: HashSet<Scope> = taken.into_iter().collect();
        let mut permits = Vec::new();
        for (flow, scopes) in trying {
            if scopes.iter().all(|scope| free.contains(scope)) {
                free.retain(|scope| !scopes.contains(scope));
                permits.push(FlowPermits { flow, permits: 1 });
            }
        }
        Ok(permits)
    }

    /// The pauses of all that these flows depend on.
    async fn gates(
        &self,
        connection: &mut Connection<H>,
        flows: &[FlowId],
    ) -> storage::Result<Gates> {
        let scopes = flows.iter().flat_map(|flow| self.pacing.scopes(*flow));
        let mut scopes: Vec<Scope> = scopes.cloned().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Ok(Gates::new(connection.list_pauses(&scopes).await?))
    }

    async fn refresh_limits(&mut self, flows: &[FlowId], now: Instant) -> storage::Result<()> {
        let stale: Vec<FlowId> = flows
            .iter()
            .copied()
            .filter(|flow| self.pacing.is_stale(*flow, now.monotonic))
            .collect();
        if stale.is_empty() {
            return Ok(());
        }
        let mut limits = self.handler.limits(&stale).await?;
        for flow in stale {
            let Some(limits) = limits.remove(&flow) else {
                self.pacing.close(flow, now.monotonic);
                continue;
            };
            let since = self
                .owned
                .since
                .get(&flow.partition())
                .copied()
                .unwrap_or(now.monotonic);
            self.pacing.set_limits(flow, limits, since, now.monotonic);
        }
        Ok(())
    }

    /// Releases what its pair's rate allows and postpones the rest. Returns whether anything was postponed.
    async fn release(
        &mut self,
        connection: &mut Connection<H>,
        candidates: Vec<Candidate>,
        now: Instant,
    ) -> storage::Result<bool> {
        let mut chosen = HashMap::with_capacity(candidates.len());
        let mut order = Vec::with_capacity(candidates.len());
        let mut postponed = Vec::new();
        let paused = paused_pairs(connection, &candidates).await?;
        for candidate in candidates {
            match self.take_pair(&candidate, &paused, now) {
                Ok(()) => {
                    order.push(candidate.id);
                    chosen.insert(candidate.id, candidate);
                }
                Err(until) => postponed.push((candidate.id, until)),
            }
        }
        if !postponed.is_empty() {
            connection
                .postpone(&postponed, "waiting for the rate limit of this recipient")
                .await?;
        }
        let lease_until = now.wall + self.settings.release_lease;
        let released = connection
            .release(self.replica, &order, now.wall, lease_until)
            .await?;
        for id in &released {
            if let Some(candidate) = chosen.get(id) {
                self.pacing.take(candidate.flow, 1);
            }
        }
        let hints: Vec<(WorkId, i32)> = order
            .iter()
            .filter(|id| released.contains(id))
            .filter_map(|id| chosen.get(id).map(|candidate| (*id, candidate.attempt)))
            .collect();
        metrics::released(self.kind, hints.len());
        failpoints::reach("release.committed");
        self.publish(connection, &hints, now).await?;
        failpoints::reach("release.published");
        Ok(!postponed.is_empty())
    }

    /// Whether the candidate's recipient may be written to now, or when.
    fn take_pair(
        &mut self,
        candidate: &Candidate,
        paused: &HashMap<Scope, DateTime<Utc>>,
        now: Instant,
    ) -> Result<(), DateTime<Utc>> {
        let (flow, Some(pair)) = (candidate.flow, candidate.pair.as_deref()) else {
            return Ok(());
        };
        match paused.get(&Scope::pair(flow, pair)) {
            Some(until) if *until > now.wall => return Err(*until),
            Some(_) => self.pacing.temper_pair(flow, pair, now.monotonic),
            None => {}
        }
        self.pacing
            .take_pair(flow, pair, now.monotonic)
            .map_err(|at| now.wall + at.saturating_sub(now.monotonic))
    }

    async fn publish(
        &self,
        connection: &mut Connection<H>,
        hints: &[(WorkId, i32)],
        now: Instant,
    ) -> storage::Result<()> {
        let failed =
            publish_hints(&self.deps.broker, self.kind, hints, self.settings.hint_size).await;
        if !failed.is_empty() {
            metrics::publish_failed(self.kind, failed.len());
            let again: Vec<_> = failed.into_iter().map(|id| (id, now.wall)).collect();
            connection
                .postpone(&again, "waiting for the message broker")
                .await?;
        }
        Ok(())
    }
}

async fn paused_pairs(
    connection: &mut impl Statements,
    candidates: &[Candidate],
) -> storage::Result<HashMap<Scope, DateTime<Utc>>> {
    let pairs = candidates
        .iter()
        .filter_map(|candidate| Some((candidate.flow, candidate.pair.as_deref()?)));
    let mut scopes: Vec<Scope> = pairs.map(|(flow, pair)| Scope::pair(flow, pair)).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let pauses = connection.list_pauses(&scopes).await?;
    Ok(pauses.into_iter().map(|p| (p.scope, p.until)).collect())
}

fn due_flows(waiting: &[WaitingFlow], now: DateTime<Utc>) -> Vec<FlowId> {
    let mut due: Vec<FlowId> = waiting
        .iter()
        .filter(|w| w.first_due_at <= now)
        .map(|w| w.flow)
        .collect();
    due.sort_unstable();
    due.dedup();
    due
}

fn next_due(waiting: &[WaitingFlow], now: DateTime<Utc>) -> Duration {
    let later = waiting
        .iter()
        .map(|w| w.first_due_at)
        .filter(|at| *at > now);
    later.min().map_or(Duration::MAX, |at| until_then(at, now))
}

fn until_then(instant: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (instant - now).to_std().unwrap_or(Duration::ZERO)
}

/// Looks after leases that are over: hints that were lost, consumers that died.
pub(crate) async fn sweep<S: WorkStore>(
    database: &S,
    kind: WorkKind,
    partitions: &[i16],
    now: DateTime<Utc>,
    claim_lease: Duration,
) -> storage::Result<Vec<Claim>> {
    let mut connection = database.acquire().await?;
    connection.reclaim_released(kind, partitions, now).await?;
    connection.probe_held(now).await?;
    let abandoned = connection
        .claim_abandoned(kind, partitions, now, now + claim_lease)
        .await?;
    metrics::abandoned(kind, abandoned.len());
    Ok(abandoned)
}
