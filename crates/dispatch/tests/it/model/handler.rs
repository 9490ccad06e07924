use std::{
    collections::{BTreeMap, HashMap},
    panic::resume_unwind,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use dispatch::{Begin, Claim, FlowLimits, Handler, Outcome};
use domain::{Backoff, FlowId, Scope, WorkId, WorkKind};
use uuid::Uuid;

use super::{
    clock::pass,
    history::History,
    memory::{Connection, Memory},
};

/// Does with each claim what the seed says, whoever has it and whenever.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) seed: u64,
    pub(crate) limits: Arc<BTreeMap<FlowId, FlowLimits>>,
    pub(crate) history: Arc<History>,
}

/// What was found out.
pub(crate) enum Effect {
    Found(Outcome),
    /// It cannot be recorded.
    Poison,
    /// Recording it panics.
    Explosive,
}

/// How an attempt goes wrong, or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Well,
    /// Decides before anything is sent.
    Refuses,
    PanicsEarly,
    PanicsLate,
    /// Returns long after its lease.
    Late,
    Hangs,
}

/// Of three recipients one; some work has none.
pub(crate) fn pair_of(subject: Uuid) -> Option<Vec<u8>> {
    let draw = subject.as_bytes().last()? % 4;
    (draw < 3).then(|| vec![draw])
}

impl Model {
    /// Whether this work poisons the recorder each time, or its handler may give it up.
    pub(crate) fn is_mortal(seed: u64, id: WorkId) -> bool {
        matches!(Self::nature(seed, id), 0..8)
    }

    fn nature(seed: u64, id: WorkId) -> u8 {
        Self::draw(seed, id, 0).u8(0..100)
    }

    fn draw(seed: u64, id: WorkId, attempt: i32) -> fastrand::Rng {
        let id = id.as_uuid().as_u64_pair();
        let attempt = u64::from(attempt.unsigned_abs());
        let mixed =
            seed ^ id.0 ^ id.1.rotate_left(17) ^ attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut rng = fastrand::Rng::with_seed(mixed);
        // The first numbers of seeds that are close are close.
        rng.u64(..);
        rng
    }

    fn outcome(&self, claim: &Claim, rng: &mut fastrand::Rng) -> Outcome {
        let reason = || "as the seed has it".to_owned();
        let scope = self.limits.get(&claim.flow).and_then(|limits| {
            let pair = pair_of(claim.subject).map(|it| Scope::pair(claim.flow, &it));
            let scopes: Vec<Scope> = limits.scopes.iter().cloned().chain(pair).collect();
            rng.choice(scopes)
        });
        let pause = Backoff::doubling(
            Duration::from_millis(rng.u64(100..1500)),
            Duration::from_secs(4),
        );
        match (rng.u8(0..100), scope) {
            (0..12, _) => Outcome::Retry {
                after: Duration::from_millis(rng.u64(0..1500)),
                failed: rng.bool(),
                reason: reason(),
            },
            (12..20, Some(scope)) => Outcome::Pause {
                scope,
                pause,
                reason: reason(),
            },
            (20..26, Some(scope)) => Outcome::Hold {
                scope,
                pause: rng.bool().then_some(pause),
                reason: reason(),
            },
            _ if (4..8).contains(&Self::nature(self.seed, claim.id)) => {
                Outcome::Dead { reason: reason() }
            }
            _ => Outcome::Done,
        }
    }

    fn effect(&self, claim: &Claim, rng: &mut fastrand::Rng) -> Effect {
        match Self::nature(self.seed, claim.id) {
            0..2 => Effect::Poison,
            2..4 => Effect::Explosive,
            _ => Effect::Found(self.outcome(claim, rng)),
        }
    }
}

impl Handler for Model {
    type Store = Memory;
    type Prepared = ();
    type Effect = Effect;

    fn kind(&self) -> WorkKind {
        WorkKind::Send
    }

    async fn limits(&self, flows: &[FlowId]) -> storage::Result<HashMap<FlowId, FlowLimits>> {
        let limits = flows
            .iter()
            .filter_map(|flow| Some((*flow, self.limits.get(flow)?.clone())));
        Ok(limits.collect())
    }

    async fn prepare(&self, claims: &[Claim]) -> Vec<()> {
        vec![(); claims.len()]
    }

    async fn act(&self, claim: &Claim, (): (), begin: Begin<'_>) -> Effect {
        let mut rng = Self::draw(self.seed, claim.id, claim.attempt);
        let course = match rng.u8(0..100) {
            0..4 => Course::Refuses,
            4..6 => Course::PanicsEarly,
            6..8 => Course::PanicsLate,
            8..10 => Course::Late,
            10..11 => Course::Hangs,
            _ => Course::Well,
        };
        let composing = if rng.u8(0..20) == 0 { 3_000 } else { 30 };
        pass(Duration::from_millis(rng.u64(0..composing))).await;
        if course == Course::PanicsEarly {
            resume_unwind(Box::new("early"));
        }
        let sends = course != Course::Refuses && begin.begin().await.is_ok();
        if sends {
            self.history.sent(claim);
        }
        let answering = match course {
            Course::Late => 5_000,
            Course::Hangs => 60_000,
            _ => rng.u64(0..400),
        };
        pass(Duration::from_millis(answering)).await;
        if course == Course::PanicsLate {
            resume_unwind(Box::new("late"));
        }
        if !sends && Self::nature(self.seed, claim.id) >= 4 {
            return Effect::Found(Outcome::Retry {
                after: Duration::from_millis(rng.u64(0..1_000)),
                failed: false,
                reason: "nothing was sent".to_owned(),
            });
        }
        self.effect(claim, &mut rng)
    }

    async fn abandoned(&self, claim: &Claim) -> Effect {
        self.history.abandoned(claim);
        let mut rng = Self::draw(self.seed, claim.id, claim.attempt);
        if claim.begun && rng.bool() {
            return Effect::Found(Outcome::Done);
        }
        Effect::Found(Outcome::Retry {
            after: Duration::from_millis(rng.u64(0..1_000)),
            failed: claim.begun,
            reason: "its consumer was lost".to_owned(),
        })
    }

    async fn record(
        &self,
        connection: &mut Connection,
        effects: &[(Claim, Effect)],
        now: DateTime<Utc>,
    ) -> storage::Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(effects.len());
        for (_, effect) in effects {
            match effect {
                Effect::Found(outcome) => outcomes.push(outcome.clone()),
                Effect::Poison => return Err(storage::Error::Unreadable { column: "effect" }),
                Effect::Explosive => resume_unwind(Box::new("explosive")),
            }
        }
        let done = effects
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| **outcome == Outcome::Done);
        let proven: BTreeMap<Scope, DateTime<Utc>> = done
            .filter_map(|((claim, _), _)| self.limits.get(&claim.flow))
            .flat_map(|limits| limits.scopes.iter().map(|scope| (scope.clone(), now)))
            .collect();
        if !proven.is_empty() {
            connection.lift_pauses(self.kind(), proven, now).await?;
        }
        Ok(outcomes)
    }
}
