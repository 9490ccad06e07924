//! What happened in a schedule, and what must never happen: looked at after each commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use chrono::{DateTime, Utc};
use dispatch::{Claim, FlowLimits};
use domain::{FlowId, Rate, Scope, WorkId};
use uuid::Uuid;

use super::{
    clock::since_start,
    memory::{
        Turn,
        tables::{Changes, Owner, PauseRow, State, Tables, Tx, Work},
    },
};

/// A step of a schedule, for people and for comparing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Something that the schedule did.
    Event(&'static str, usize),
    Work(usize, Option<(State, i32, bool)>),
    Owner(i16, Option<usize>),
    Paused(Scope, Option<DateTime<Utc>>),
    Sent(usize, i32),
    Abandoned(usize, i32),
}

#[derive(Default)]
struct Seen {
    steps: Vec<(Duration, Step)>,
    broken: Option<String>,
    /// In the order of their first appearance: the same in each run of a seed.
    works: BTreeMap<WorkId, usize>,
    replicas: BTreeMap<Uuid, usize>,
    claims: BTreeSet<(WorkId, i32)>,
    /// The claim of each work that may have acted, and of which nobody has said yet what that means.
    open: BTreeMap<WorkId, i32>,
    /// Claims of lost work that were told that it may have been acted on.
    told: BTreeSet<(WorkId, i32)>,
    sent: BTreeSet<(WorkId, i32)>,
    begins: BTreeMap<FlowId, Vec<Duration>>,
    pairs: BTreeMap<(FlowId, Vec<u8>), Vec<Duration>>,
    taken_over: BTreeMap<i16, Vec<Duration>>,
    /// Since when each pause is as it is.
    paused_since: BTreeMap<Scope, Duration>,
    /// Released by statements that were carried out when nobody waited for them any more.
    late: BTreeSet<WorkId>,
    ended: BTreeMap<WorkId, Ended>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Done,
    Dead,
}

/// A flow's rate is exact; the clock counts in nanoseconds and a token is a fraction.
const ROUNDING: f64 = 1e-6;

pub(crate) struct History {
    limits: BTreeMap<FlowId, FlowLimits>,
    /// What may become a dead letter, by its handler's word or because its outcome cannot be recorded.
    mortal: Box<dyn Fn(WorkId) -> bool + Send + Sync>,
    seen: Mutex<Seen>,
}

impl History {
    pub(crate) fn new(
        limits: BTreeMap<FlowId, FlowLimits>,
        mortal: impl Fn(WorkId) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            limits,
            mortal: Box::new(mortal),
            seen: Mutex::default(),
        }
    }

    /// The first promise that was broken.
    pub(crate) fn broken(&self) -> Option<String> {
        self.seen.lock().unwrap().broken.clone()
    }

    pub(crate) fn steps(&self) -> Vec<(Duration, Step)> {
        self.seen.lock().unwrap().steps.clone()
    }

    pub(crate) fn event(&self, what: &'static str, which: usize) {
        self.seen.lock().unwrap().step(Step::Event(what, which));
    }

    /// The instant at which a patient would get something.
    pub(crate) fn sent(&self, claim: &Claim) {
        let mut seen = self.seen.lock().unwrap();
        let (id, attempt) = (claim.id, claim.attempt);
        let work = seen.number(id);
        seen.step(Step::Sent(work, attempt));
        if seen.open.get(&id) != Some(&attempt) {
            seen.breaks(&format!(
                "work {work}, attempt {attempt}: sent without a mark, or after somebody else had decided"
            ));
        }
        if !seen.sent.insert((id, attempt)) {
            seen.breaks(&format!("work {work}, attempt {attempt}: sent twice"));
        }
    }

    pub(crate) fn abandoned(&self, claim: &Claim) {
        let mut seen = self.seen.lock().unwrap();
        let work = seen.number(claim.id);
        seen.step(Step::Abandoned(work, claim.attempt));
        if claim.begun {
            seen.told.insert((claim.id, claim.attempt));
        } else if let Some(open) = seen.open.get(&claim.id).copied()
            // Of what came after it, a claim that was lost long ago need not know.
            && open <= claim.attempt
        {
            seen.breaks(&format!(
                "work {work}: its handler is told that nothing was begun, and attempt {open} may have acted"
            ));
        }
    }

    /// Looks at what is about to be released: whether its releaser could know better.
    pub(crate) fn releasing(
        &self,
        tables: &Tables,
        tx: Tx,
        released: &[WorkId],
        (turn, now): (&Turn, DateTime<Utc>),
    ) {
        let mut seen = self.seen.lock().unwrap();
        let mut trying: BTreeMap<&Scope, u32> = BTreeMap::new();
        for id in released {
            let Some(work) = tables.work.get(tx, id) else {
                continue;
            };
            let Some(limits) = self.limits.get(&work.flow) else {
                continue;
            };
            let pair = work.pair.as_deref().map(|it| Scope::pair(work.flow, it));
            for scope in limits.scopes.iter().chain(&pair) {
                let since = seen.paused_since.get(scope);
                if since.is_none_or(|since| *since >= turn.began) {
                    continue;
                }
                let Some(paused) = tables.pauses.get(0, scope) else {
                    continue;
                };
                if paused.until > now {
                    seen.breaks(&format!("released while {scope:?} was paused"));
                }
                if pair.as_ref() == Some(scope) {
                    continue;
                }
                if !turn.tried.contains(scope) {
                    seen.breaks(&format!(
                        "released after a pause of {scope:?} without a turn"
                    ));
                }
            }
            for scope in &limits.scopes {
                if let Some(scope) = turn.tried.get(scope) {
                    *trying.entry(scope).or_default() += 1;
                }
            }
        }
        if let Some((scope, count)) = trying.into_iter().find(|(_, count)| *count > 1) {
            seen.breaks(&format!(
                "{count} try at once whether {scope:?} is well again"
            ));
        }
    }

    /// Its releaser has looked again meanwhile, and could not see it. It has spent its permits, but not its window.
    pub(crate) fn released_late(&self, released: &[WorkId]) {
        self.seen.lock().unwrap().late.extend(released);
    }

    pub(crate) fn committed(&self, changes: &Changes, tables: &Tables) {
        let mut seen = self.seen.lock().unwrap();
        for (partition, before, after) in &changes.owners {
            seen.owner(*partition, before.as_ref(), after.as_ref());
        }
        for (scope, before, after) in &changes.pauses {
            seen.pause(scope, before.as_ref(), after.as_ref());
        }
        for (id, before, after) in &changes.work {
            self.work(&mut seen, *id, (before.as_ref(), after.as_ref()));
        }
        for flow in changes.work.iter().filter_map(|(_, before, after)| {
            let after = after.as_ref()?;
            let was_out = before.as_ref().is_some_and(Work::is_out);
            (after.is_out() && !was_out).then_some(after.flow)
        }) {
            self.window(&mut seen, flow, tables);
        }
    }

    fn work(&self, seen: &mut Seen, id: WorkId, (before, after): (Option<&Work>, Option<&Work>)) {
        let number = seen.number(id);
        seen.step(Step::Work(
            number,
            after.map(|it| (it.state.clone(), it.attempt, it.begun)),
        ));
        if let Some(after) = after
            && before.is_none_or(|before| before.attempt != after.attempt)
            && after.attempt > 0
            && !seen.claims.insert((id, after.attempt))
        {
            seen.breaks(&format!(
                "work {number}, attempt {}: claimed twice",
                after.attempt
            ));
        }
        let Some(before) = before else { return };
        let ends = before.state == State::Claimed
            && after.is_none_or(|after| after.state != State::Claimed);
        if ends && let Some(open) = seen.open.remove(&id) {
            let told = seen.told.contains(&(id, before.attempt));
            if open != before.attempt && !told {
                seen.breaks(&format!(
                    "work {number}: attempt {open} may have acted, and attempt {} decided without knowing it",
                    before.attempt
                ));
            }
        }
        match after {
            None => seen.gone(id),
            Some(after) if after.state == State::Waiting => {
                seen.late.remove(&id);
            }
            Some(after) if after.begun && after.state == State::Claimed && !before.begun => {
                self.begun(seen, id, after);
            }
            Some(_) => {}
        }
    }

    /// A claim is about to act: as far as the engine knows, this is when a permit is used.
    fn begun(&self, seen: &mut Seen, id: WorkId, work: &Work) {
        let number = seen.number(id);
        if let Some(open) = seen.open.insert(id, work.attempt) {
            seen.breaks(&format!(
                "work {number}: attempt {} begins, and attempt {open} may have acted",
                work.attempt
            ));
        }
        let Some(limits) = self.limits.get(&work.flow) else {
            return;
        };
        let now = since_start();
        let begins = seen.begins.entry(work.flow).or_default();
        begins.push(now);
        if let Some(rate) = limits.rate
            && let Some(excess) = excess(begins, rate, |_| 0)
        {
            seen.breaks(&format!("a flow went over its rate: {excess}"));
        }
        if let (Some(rate), Some(pair)) = (limits.pair, &work.pair) {
            let key = (work.flow, pair.clone());
            let begins = seen.pairs.entry(key).or_default();
            begins.push(now);
            // Of a pair's burst one is in reserve for a change of hands; each further one may cost one more.
            let earning = Duration::from_secs_f64(f64::from(rate.burst()) / rate.per_second());
            let changes = seen.taken_over.get(&work.flow.partition());
            let changes = |from: Duration| {
                let from = from.saturating_sub(earning);
                let changes = changes.map_or(0, |it| it.iter().filter(|at| **at >= from).count());
                u32::try_from(changes).unwrap()
            };
            if let Some(excess) = excess(begins, rate, changes) {
                seen.breaks(&format!("a pair went over its rate: {excess}"));
            }
        }
    }

    fn window(&self, seen: &mut Seen, flow: FlowId, tables: &Tables) {
        let Some(limits) = self.limits.get(&flow) else {
            return;
        };
        let of_flow = tables.work.committed().filter(|(_, it)| it.flow == flow);
        let out = of_flow.filter(|(id, it)| it.is_out() && !seen.late.contains(id));
        let out = out.count();
        if out > limits.window as usize {
            let window = limits.window;
            seen.breaks(&format!(
                "{out} of a flow are out, and its window is {window}"
            ));
        }
    }

    /// After all has calmed down: everything came to one end, and only what may die is dead.
    pub(crate) fn conclude(&self, added: &[WorkId], tables: &Tables) {
        let mut seen = self.seen.lock().unwrap();
        for (id, _) in tables.dead_letters.committed() {
            let number = seen.number(*id);
            if !(self.mortal)(*id) {
                seen.breaks(&format!("work {number} is dead without a cause"));
            }
            if seen.ended.insert(*id, Ended::Dead) != Some(Ended::Done) {
                seen.breaks(&format!("work {number} is dead and lives"));
            }
        }
        for (id, work) in tables.work.committed() {
            let number = seen.number(*id);
            seen.breaks(&format!("work {number} came to no end: {work:?}"));
        }
        for id in added {
            if !seen.ended.contains_key(id) {
                let number = seen.number(*id);
                seen.breaks(&format!("work {number} is lost"));
            }
        }
    }
}

/// The first window in which there was more than a rate allows and `besides`.
fn excess(begins: &[Duration], rate: Rate, besides: impl Fn(Duration) -> u32) -> Option<String> {
    let last = *begins.last()?;
    let mut count = 0;
    begins.iter().rev().find_map(|from| {
        count += 1;
        let time = last.saturating_sub(*from).as_secs_f64();
        let allowed = f64::from(rate.burst() + besides(*from)) + rate.per_second() * time;
        (f64::from(count) > allowed + ROUNDING)
            .then(|| format!("{count} in {time} s from {from:?}, allowed are {allowed}"))
    })
}

impl Seen {
    fn step(&mut self, step: Step) {
        self.steps.push((since_start(), step));
    }

    fn breaks(&mut self, promise: &str) {
        let at = since_start();
        self.broken.get_or_insert(format!("{at:?}: {promise}"));
    }

    fn number(&mut self, id: WorkId) -> usize {
        let next = self.works.len();
        *self.works.entry(id).or_insert(next)
    }

    fn gone(&mut self, id: WorkId) {
        let number = self.number(id);
        if self.ended.insert(id, Ended::Done).is_some() {
            self.breaks(&format!("work {number} ended twice"));
        }
    }

    fn owner(&mut self, partition: i16, before: Option<&Owner>, after: Option<&Owner>) {
        let next = self.replicas.len();
        let replica = after.map(|it| *self.replicas.entry(it.replica).or_insert(next));
        if after.map(|it| it.replica) == before.map(|it| it.replica) {
            return;
        }
        self.step(Step::Owner(partition, replica));
        if after.is_some() {
            self.taken_over
                .entry(partition)
                .or_default()
                .push(since_start());
        }
    }

    fn pause(&mut self, scope: &Scope, before: Option<&PauseRow>, after: Option<&PauseRow>) {
        self.step(Step::Paused(scope.clone(), after.map(|it| it.until)));
        match after {
            None => {
                self.paused_since.remove(scope);
            }
            Some(after) if before.is_none_or(|before| before.until != after.until) => {
                self.paused_since.insert(scope.clone(), since_start());
            }
            Some(_) => {}
        }
    }
}
