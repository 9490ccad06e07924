//! A handler that does as it is told and remembers what it did.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use chrono::{DateTime, Utc};
use dispatch::{Begin, Claim, FlowLimits, Handler, Outcome};
use domain::{Clock, FlowId, Rate, Scope, SystemClock, WorkId, WorkKind};
use storage::{Connection, Database, work::lift_pauses};
use tokio::sync::Semaphore;

/// What to do with a claim.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    Finish(Outcome),
    /// Waits at the gate, then finishes.
    AtGate(Outcome),
    /// Waits at the gate, then asks whether it may begin, and finishes.
    AtGateThenBegin(Outcome),
    /// Asks whether it may begin, then waits at the gate.
    BeginThenGate(Outcome),
    Panic,
    /// Its effect can never be recorded.
    Poison,
    /// The same, after it began.
    BeginThenPoison,
    /// Recording its effect panics.
    Explosive,
}

/// What was found out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    Found(Outcome),
    Poison,
    Explosive,
}

/// One call of `act` or `abandoned`, at its instant on the machine's clock.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) claim: Claim,
    pub(crate) at: Duration,
    /// What `begin` said, if it was asked.
    pub(crate) begun: Option<bool>,
}

type Planner = Box<dyn Fn(&Claim) -> Plan + Send + Sync>;

/// Shared between a test and the handlers of its engines.
#[derive(Clone)]
pub(crate) struct Script(Arc<Inner>);

struct Inner {
    planner: Mutex<Planner>,
    limits: Mutex<HashMap<FlowId, FlowLimits>>,
    default_limits: Mutex<Option<FlowLimits>>,
    acts: Mutex<Vec<Act>>,
    abandoned: Mutex<Vec<Claim>>,
    recorded: Mutex<Vec<WorkId>>,
    acting: Mutex<usize>,
    gate: Semaphore,
}

pub(crate) fn unlimited(window: u32) -> FlowLimits {
    FlowLimits {
        rate: None,
        window,
        pair: None,
        scopes: Vec::new(),
    }
}

pub(crate) fn limited(per_second: f64, burst: u32) -> FlowLimits {
    FlowLimits {
        rate: Some(Rate::new(per_second, burst).unwrap()),
        ..unlimited(1000)
    }
}

impl Script {
    /// Finishes everything at once.
    pub(crate) fn new() -> Self {
        Self::of(|_| Plan::Finish(Outcome::Done))
    }

    pub(crate) fn of(planner: impl Fn(&Claim) -> Plan + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            planner: Mutex::new(Box::new(planner)),
            limits: Mutex::default(),
            default_limits: Mutex::new(Some(unlimited(1000))),
            acts: Mutex::default(),
            abandoned: Mutex::default(),
            recorded: Mutex::default(),
            acting: Mutex::default(),
            gate: Semaphore::new(0),
        }))
    }

    /// The limits of every flow that has none of its own; `None`: they have none.
    pub(crate) fn limit(&self, limits: Option<FlowLimits>) {
        *lock(&self.0.default_limits) = limits;
    }

    pub(crate) fn limit_flow(&self, flow: FlowId, limits: FlowLimits) {
        lock(&self.0.limits).insert(flow, limits);
    }

    pub(crate) fn plan(&self, planner: impl Fn(&Claim) -> Plan + Send + Sync + 'static) {
        *lock(&self.0.planner) = Box::new(planner);
    }

    pub(crate) fn open_gate(&self) {
        self.0.gate.add_permits(1_000_000);
    }

    pub(crate) fn let_through(&self, count: usize) {
        self.0.gate.add_permits(count);
    }

    pub(crate) fn acts(&self) -> Vec<Act> {
        lock(&self.0.acts).clone()
    }

    pub(crate) fn acts_on(&self, id: WorkId) -> usize {
        let acts = lock(&self.0.acts);
        acts.iter().filter(|act| act.claim.id == id).count()
    }

    pub(crate) fn abandoned(&self) -> Vec<Claim> {
        lock(&self.0.abandoned).clone()
    }

    /// What was recorded, as often as it was tried.
    pub(crate) fn recorded(&self) -> Vec<WorkId> {
        lock(&self.0.recorded).clone()
    }

    /// How many are being acted on.
    pub(crate) fn acting(&self) -> usize {
        *lock(&self.0.acting)
    }

    async fn pass_gate(&self) {
        self.0.gate.acquire().await.unwrap().forget();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// Counts while it lives, also when its future is dropped.
struct Acting(Script);

impl Acting {
    fn new(script: &Script) -> Self {
        *lock(&script.0.acting) += 1;
        Self(script.clone())
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        *lock(&self.0.0.acting) -= 1;
    }
}

impl Script {
    /// What was done shows that all works that its flow depends on.
    fn proven(
        &self,
        effects: &[(Claim, Effect)],
        now: DateTime<Utc>,
    ) -> BTreeMap<Scope, DateTime<Utc>> {
        let done = |effect: &Effect| matches!(effect, Effect::Found(Outcome::Done));
        let done = effects.iter().filter(|(_, effect)| done(effect));
        let limits = lock(&self.0.limits);
        let proven = done.filter_map(|(claim, _)| limits.get(&claim.flow));
        proven
            .flat_map(|limits| limits.scopes.iter().map(|scope| (scope.clone(), now)))
            .collect()
    }
}

impl Handler for Script {
    type Store = Database;
    type Prepared = ();
    type Effect = Effect;

    fn kind(&self) -> WorkKind {
        WorkKind::Send
    }

    async fn limits(&self, flows: &[FlowId]) -> storage::Result<HashMap<FlowId, FlowLimits>> {
        let (own, default) = (lock(&self.0.limits), lock(&self.0.default_limits).clone());
        Ok(flows
            .iter()
            .filter_map(|flow| Some((*flow, own.get(flow).cloned().or_else(|| default.clone())?)))
            .collect())
    }

    async fn prepare(&self, claims: &[Claim]) -> Vec<()> {
        vec![(); claims.len()]
    }

    async fn act(&self, claim: &Claim, (): (), begin: Begin<'_>) -> Effect {
        let _acting = Acting::new(self);
        let plan = lock(&self.0.planner)(claim);
        let mut act = Act {
            claim: claim.clone(),
            at: SystemClock.monotonic(),
            begun: None,
        };
        let effect = match plan {
            Plan::Finish(outcome) => Effect::Found(outcome),
            Plan::AtGate(outcome) => {
                self.pass_gate().await;
                Effect::Found(outcome)
            }
            Plan::AtGateThenBegin(outcome) => {
                self.pass_gate().await;
                act.begun = Some(begin.begin().await.is_ok());
                Effect::Found(outcome)
            }
            Plan::BeginThenGate(outcome) => {
                act.begun = Some(begin.begin().await.is_ok());
                lock(&self.0.acts).push(act);
                self.pass_gate().await;
                return Effect::Found(outcome);
            }
            Plan::Panic => {
                lock(&self.0.acts).push(act);
                panic!("as the test wants it");
            }
            Plan::Poison => Effect::Poison,
            Plan::BeginThenPoison => {
                act.begun = Some(begin.begin().await.is_ok());
                Effect::Poison
            }
            Plan::Explosive => Effect::Explosive,
        };
        lock(&self.0.acts).push(act);
        effect
    }

    /// What was abandoned is simply done: the test sees what the engine asked.
    async fn abandoned(&self, claim: &Claim) -> Effect {
        lock(&self.0.abandoned).push(claim.clone());
        Effect::Found(Outcome::Done)
    }

    async fn record(
        &self,
        connection: &mut Connection,
        effects: &[(Claim, Effect)],
        now: DateTime<Utc>,
    ) -> storage::Result<Vec<Outcome>> {
        lock(&self.0.recorded).extend(effects.iter().map(|(claim, _)| claim.id));
        lift_pauses(connection, &self.proven(effects, now), now).await?;
        effects
            .iter()
            .map(|(_, effect)| match effect {
                Effect::Found(outcome) => Ok(outcome.clone()),
                Effect::Poison => Err(storage::Error::Unreadable { column: "effect" }),
                Effect::Explosive => panic!("as the test wants it"),
            })
            .collect()
    }
}
