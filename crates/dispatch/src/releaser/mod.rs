//! Who releases, what of it and when: one turn after another, over the partitions that it owns.

mod hand_out;
mod permits;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{FlowId, WorkKind};
use storage::work::{Candidate, FlowPermits, InFlight, WaitingFlow};
use uuid::Uuid;

use crate::{
    Deps, Handler, Settings, Statements as _, WorkStore as _,
    intake::Intake,
    metrics,
    pacing::Pacing,
    wake::{Heard, Looks},
};

/// For so long after it became due every moment matters to what waits.
const FRESH: Duration = Duration::from_secs(1);

/// Hands out the due work of the partitions that this replica owns, at each flow's rate.
/// One task has it: that is what makes the token buckets exact.
pub(crate) struct Releaser<H: Handler> {
    handler: Arc<H>,
    kind: WorkKind,
    deps: Deps<H::Store>,
    settings: Settings,
    replica: Uuid,
    owned: Owned,
    looks: Looks,
    /// Where something was left, at the last look, that an outcome may let go.
    short: BTreeSet<i16>,
    /// When it last looked at all partitions, whatever was heard.
    polled_at: tokio::time::Instant,
    pacing: Pacing,
    intake: Intake,
}

/// The partitions we own, and for how long without renewing (monotonic).
#[derive(Default)]
struct Owned {
    partitions: BTreeSet<i16>,
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
    pub(crate) fn new(
        handler: Arc<H>,
        deps: Deps<H::Store>,
        settings: Settings,
        intake: Intake,
    ) -> Self {
        let kind = handler.kind();
        Self {
            handler,
            kind,
            deps,
            settings,
            replica: Uuid::new_v4(),
            owned: Owned::default(),
            looks: Looks::default(),
            short: BTreeSet::new(),
            polled_at: tokio::time::Instant::now(),
            pacing: Pacing::default(),
            intake,
        }
    }

    /// Releases what may be released now of the partitions that something was heard of, and of those whose time has come.
    /// Returns how long nothing more will be due, if nobody says otherwise.
    pub(crate) async fn turn(&mut self, heard: Heard) -> storage::Result<Duration> {
        let began = self.deps.clock.monotonic();
        self.looks.at_once(heard.partitions);
        let short = heard.rooms.intersection(&self.short).copied();
        self.looks.at_once(short);
        if heard.owners {
            // Another replica came, went, or gave up partitions.
            self.owned.renew_at = Duration::ZERO;
        }
        // Something may have been said that nobody heard.
        if heard.owners || self.polled_at.elapsed() >= self.settings.poll {
            self.polled_at = tokio::time::Instant::now();
            self.looks = Looks::default();
        }
        self.renew().await?;
        if self.owned.partitions.is_empty() {
            return Ok(self.settings.poll);
        }
        let mut due = self.partitions();
        due.retain(|partition| self.looks.at(*partition) <= began);
        if !due.is_empty() {
            // Should this come to no end, they are still due.
            self.looks.at_once(due.iter().copied());
            let mut looks = self.release_due(&due).await?;
            for partition in due {
                looks.no_later_than(partition, Duration::MAX);
            }
            self.looks.extend(looks);
        }
        let now = self.deps.clock.monotonic();
        metrics::turn(self.kind, now.saturating_sub(began));
        let next = self.owned.partitions.iter().map(|it| self.looks.at(*it));
        let wake = next.min().unwrap_or_default().saturating_sub(now);
        Ok(wake.min(self.settings.poll).max(Duration::from_millis(1)))
    }

    /// The partitions whose expired leases are ours to look after.
    pub(crate) fn partitions(&self) -> Vec<i16> {
        self.owned.partitions.iter().copied().collect()
    }

    /// Lets the other replicas go on at once.
    pub(crate) async fn retire(&mut self) -> storage::Result<()> {
        self.owned.partitions.clear();
        let mut connection = self.deps.database.acquire().await?;
        connection.yield_partitions(self.kind, self.replica).await
    }

    fn instant(&self) -> Instant {
        Instant {
            wall: self.deps.clock.now(),
            monotonic: self.deps.clock.monotonic(),
        }
    }

    async fn renew(&mut self) -> storage::Result<()> {
        let asked = self.instant();
        if asked.monotonic < self.owned.renew_at {
            return Ok(());
        }
        // Until there is an answer nothing is known to be ours: what we gave up by asking, another may have by now.
        let mut earlier = std::mem::take(&mut self.owned.partitions);
        if asked.monotonic >= self.owned.until {
            earlier.clear();
        }
        let lease = self.settings.partition_lease;
        let mut tx = self.deps.database.begin().await?;
        let ownership = tx
            .hold_partitions(self.kind, self.replica, asked.wall, asked.wall + lease)
            .await?;
        self.deps.database.commit(tx).await?;
        // A partition that came back to us was another's in between: its buckets start anew.
        let (kept, anew): (Vec<i16>, Vec<i16>) = ownership
            .kept
            .into_iter()
            .partition(|it| earlier.contains(it));
        let taken = [anew, ownership.taken].concat();
        self.pacing.keep_only(|it| kept.contains(&it));
        self.looks.at_once(taken.iter().copied());
        if !taken.is_empty() {
            let mut connection = self.deps.database.acquire().await?;
            let in_flight = connection.list_in_flight(self.kind, &taken).await?;
            let now = self.deps.clock.monotonic();
            self.pacing.take_over(&taken, in_flight, now);
        }
        self.owned = Owned {
            partitions: kept.into_iter().chain(taken).collect(),
            until: asked.monotonic + lease,
            renew_at: asked.monotonic + lease / 3,
        };
        metrics::partitions(self.kind, self.owned.partitions.len());
        Ok(())
    }

    /// Returns when something more will be due.
    async fn release_due(&mut self, partitions: &[i16]) -> storage::Result<Looks> {
        let asked = self.instant();
        self.short.retain(|it| !partitions.contains(it));
        let database = self.deps.database.clone();
        let mut connection = database.acquire().await?;
        let waiting = connection.list_waiting_flows(self.kind, partitions).await?;
        let due = due_flows(&waiting, asked.wall);
        let mut looks = Looks::default();
        for later in waiting.iter().filter(|it| it.first_due_at > asked.wall) {
            let at = asked.monotonic + until_then(later.first_due_at, asked.wall);
            looks.no_later_than(later.flow.partition(), at);
        }
        if due.is_empty() {
            return Ok(looks);
        }
        let in_flight = connection.list_in_flight(self.kind, partitions).await?;
        let mut in_flight: HashMap<FlowId, InFlight> =
            in_flight.into_iter().map(|it| (it.flow, it)).collect();
        // What was used before the look is known from here on, and not from the beginning of the turn.
        let now = self.instant();
        self.refresh_limits(&due, now).await?;
        let gates = self.gates(&mut connection, &due).await?;
        let (mut permits, trying) = self.permits(due, &mut in_flight, (&gates, now), &mut looks);
        let is_alone = !self.deps.broker.is_connected();
        if is_alone {
            share(&mut permits, self.intake.room());
        }
        let open: Vec<FlowPermits> = permits.iter().copied().filter(|p| p.permits > 0).collect();
        let mut left = permits.clone();
        if !open.is_empty() {
            let picked = connection.pick_due(self.kind, &open, now.wall).await?;
            let of_flow = counts(&picked);
            left.retain(|it| it.permits <= of_flow.get(&it.flow).copied().unwrap_or_default());
            let (chosen, postponed) = self.keep_pairs(&mut connection, picked, &in_flight).await?;
            for flow in postponed {
                // What was behind them may go now.
                looks.no_later_than(flow.partition(), now.monotonic);
            }
            let chosen = self.take_turns(&mut connection, chosen, &trying).await?;
            self.hand_out(&mut connection, chosen).await?;
        }
        // Of these there may be more. Of the others nothing is due.
        let fresh = fresh_flows(&waiting, asked.wall);
        for FlowPermits { flow, permits } in left {
            let out = in_flight.get(&flow).map_or(0, |it| it.out);
            if is_alone || self.pacing.waits_for_outcomes(flow, out + permits) {
                self.short.insert(flow.partition());
            }
            let at = if fresh.contains(&flow) {
                self.pacing.refilled_at(flow, now.monotonic)
            } else {
                self.pacing.gathered_at(flow, now.monotonic)
            };
            if let Some(at) = at {
                looks.no_later_than(flow.partition(), at);
            }
        }
        Ok(looks)
    }
}

/// The flows of which what goes first became due just now: somebody may be waiting for it.
fn fresh_flows(waiting: &[WaitingFlow], now: DateTime<Utc>) -> HashSet<FlowId> {
    let mut first: HashMap<FlowId, &WaitingFlow> = HashMap::new();
    for due in waiting.iter().filter(|it| it.first_due_at <= now) {
        let known = first.entry(due.flow).or_insert(due);
        if due.lane < known.lane {
            *known = due;
        }
    }
    let fresh = first.values().filter(|it| now < it.first_due_at + FRESH);
    fresh.map(|it| it.flow).collect()
}

/// Without a broker no more can go than has room here; each flow gets its part of that.
fn share(permits: &mut [FlowPermits], room: usize) {
    let mut room = u32::try_from(room).unwrap_or(u32::MAX);
    let flows = u32::try_from(permits.len()).unwrap_or(u32::MAX);
    let part = (room / flows.max(1)).max(1);
    for flow in permits {
        flow.permits = flow.permits.min(part).min(room);
        room -= flow.permits;
    }
}

fn counts(picked: &[Candidate]) -> HashMap<FlowId, u32> {
    let mut counts = HashMap::new();
    for candidate in picked {
        *counts.entry(candidate.flow).or_default() += 1;
    }
    counts
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

fn until_then(instant: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (instant - now).to_std().unwrap_or(Duration::ZERO)
}
