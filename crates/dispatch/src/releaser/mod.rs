//! Who releases, what of it and when: one turn after another, over the partitions that it owns.

mod hand_out;
mod permits;
mod round;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{FlowId, WorkKind};
use storage::work::{Candidate, FlowPermits, InFlight, WaitingFlow};
use uuid::Uuid;

use self::round::{Round, share};
use crate::{
    Deps, Handler, Settings, Statements as _, WorkStore as _,
    intake::Intake,
    metrics,
    pacing::Pacing,
    store::Connection,
    wake::{Heard, Looks},
};

/// For so long after it became due every moment matters to what waits.
const FRESH: Duration = Duration::from_secs(1);

/// How long hands gather when there were not enough, unless a quarter of them is free before.
const GATHERING: Duration = Duration::from_millis(50);

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
    round: Round,
    /// When the last turn left something for want of hands (monotonic).
    short_of_hands: Option<Duration>,
}

/// The partitions we own, and for how long without renewing (monotonic).
#[derive(Default)]
struct Owned {
    partitions: BTreeSet<i16>,
    /// How many share all of them, with us.
    replicas: u32,
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
            round: Round::default(),
            short_of_hands: None,
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
        if let Some(wait) = self.gather_hands(began) {
            return Ok(wait);
        }
        let mut due = self.partitions();
        due.retain(|partition| self.looks.at(*partition) <= began);
        let due = self.round.take(due);
        if !due.is_empty() {
            // Should this come to no end, they are still due.
            self.looks.at_once(due.iter().copied());
            let mut found = self.release_due(&due).await?;
            for partition in due {
                found.looks.no_later_than(partition, Duration::MAX);
            }
            found.looks.at_once(found.unfinished);
            self.looks.extend(found.looks);
        }
        let now = self.deps.clock.monotonic();
        metrics::turn(self.kind, now.saturating_sub(began));
        let next = self.owned.partitions.iter().map(|it| self.looks.at(*it));
        let wake = next.min().unwrap_or_default().saturating_sub(now);
        let wake = wake.max(self.gather_hands(now).unwrap_or_default());
        Ok(wake.min(self.settings.poll).max(Duration::from_millis(1)))
    }

    /// How long nothing is looked for, because there are hardly any hands.
    fn gather_hands(&self, now: Duration) -> Option<Duration> {
        let wait = (self.short_of_hands? + GATHERING).checked_sub(now)?;
        let few = (self.settings.keeps / 4).max(1);
        (!wait.is_zero() && self.intake.room() < few).then_some(wait)
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
            replicas: ownership.replicas,
            until: asked.monotonic + lease,
            renew_at: asked.monotonic + lease / 3,
        };
        metrics::partitions(self.kind, self.owned.partitions.len());
        Ok(())
    }

    /// Hands out what is due of these partitions, in its turn.
    async fn release_due(&mut self, partitions: &[i16]) -> storage::Result<Found> {
        let asked = self.instant();
        self.short_of_hands = None;
        self.short.retain(|it| !partitions.contains(it));
        let database = self.deps.database.clone();
        let mut connection = database.acquire().await?;
        let waiting = connection.list_waiting_flows(self.kind, partitions).await?;
        let mut due = due_flows(&waiting, asked.wall);
        let mut found = Found::default();
        found.unfinished.extend(self.round.arrange(&mut due));
        for later in waiting.iter().filter(|it| it.first_due_at > asked.wall) {
            let at = asked.monotonic + until_then(later.first_due_at, asked.wall);
            found.looks.no_later_than(later.flow.partition(), at);
        }
        let in_flight = if due.is_empty() {
            Vec::new()
        } else {
            connection.list_in_flight(self.kind, partitions).await?
        };
        let mut in_flight: HashMap<FlowId, InFlight> =
            in_flight.into_iter().map(|it| (it.flow, it)).collect();
        // What was used before the look is known from here on, and not from the beginning of the turn.
        let now = self.instant();
        self.refresh_limits(&due, now).await?;
        let gates = self.gates(&mut connection, &due).await?;
        let (permits, trying) = self.permits(due, &mut in_flight, (&gates, now), &mut found.looks);
        let hands = self.hands(&mut connection, &permits).await?;
        let given = share(&permits, hands);
        self.round.go_on(partitions, &permits, &given);
        let open = given_to(&permits, &given);
        let mut picked = HashMap::new();
        if !open.is_empty() {
            let due = connection.pick_due(self.kind, &open, now.wall).await?;
            picked = counts(&due);
            let (chosen, postponed) = self.keep_pairs(&mut connection, due, &in_flight).await?;
            for flow in postponed {
                // What was behind them may go now.
                found.looks.no_later_than(flow.partition(), now.monotonic);
            }
            let chosen = self.take_turns(&mut connection, chosen, &trying).await?;
            self.hand_out(&mut connection, chosen).await?;
        }
        let fresh = fresh_flows(&waiting, asked.wall);
        for (FlowPermits { flow, permits }, given) in permits.into_iter().zip(given) {
            if picked.get(&flow).copied().unwrap_or_default() < given {
                // Nothing more of it is due.
                continue;
            }
            if given < permits {
                self.short_of_hands = Some(self.deps.clock.monotonic());
                found.unfinished.insert(flow.partition());
                continue;
            }
            let out = in_flight.get(&flow).map_or(0, |it| it.out);
            if self.pacing.waits_for_outcomes(flow, out + permits) {
                self.short.insert(flow.partition());
            }
            let at = if fresh.contains(&flow) {
                self.pacing.refilled_at(flow, now.monotonic)
            } else {
                self.pacing.gathered_at(flow, now.monotonic)
            };
            if let Some(at) = at {
                found.looks.no_later_than(flow.partition(), at);
            }
        }
        Ok(found)
    }

    /// How much can be in hand of all that may go: what this process has room for, and what may lie ready for others.
    async fn hands(
        &self,
        connection: &mut Connection<H>,
        permits: &[FlowPermits],
    ) -> storage::Result<u32> {
        let room = u32::try_from(self.intake.room()).unwrap_or(u32::MAX);
        let all = permits.iter().map(|it| u64::from(it.permits)).sum::<u64>();
        // Without others, those who would take it are those who have no room.
        let keeps_all = self.owned.replicas == 1 && self.settings.keeps > 0;
        if all <= u64::from(room) || keeps_all || !self.deps.broker.is_connected() {
            return Ok(room);
        }
        let ready = connection
            .count_released(self.kind, &self.partitions())
            .await?;
        Ok(room.saturating_add(self.settings.lends.saturating_sub(ready)))
    }
}

/// What one look found out.
#[derive(Default)]
struct Found {
    /// When something more will be due.
    looks: Looks,
    /// Where something was left for want of hands, or was not come to.
    unfinished: BTreeSet<i16>,
}

fn given_to(permits: &[FlowPermits], given: &[u32]) -> Vec<FlowPermits> {
    let both = permits.iter().zip(given);
    let open = both.filter(|(_, given)| **given > 0);
    open.map(|(wanted, given)| FlowPermits {
        flow: wanted.flow,
        permits: *given,
    })
    .collect()
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
