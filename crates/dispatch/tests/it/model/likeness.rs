//! That the store in memory answers as PostgreSQL does: the same statements to both, drawn from a seed.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use dispatch::{Statements as _, WorkStore};
use domain::{Backoff, FlowId, Lane, Losses, PARTITIONS, Scope, TenantId, WorkId, WorkKind};
use storage::{
    Database,
    work::{self, Disposition, Finished, FlowPermits, NewPause, NewWork, Ownership},
};
use uuid::Uuid;

use super::{handler::pair_of, history::History, memory::Memory};
use crate::stage::stage;

const KIND: WorkKind = WorkKind::Send;
const SCOPES: [&str; 3] = ["a", "b", "c"];

/// A statement and what it is asked.
#[derive(Debug, Clone)]
enum Asked {
    Insert(Vec<NewWork>),
    Hold(Uuid),
    Yield(Uuid),
    ListWaiting,
    ListInFlight,
    CountReleased,
    PickDue(Vec<FlowPermits>),
    Release(Uuid, Vec<WorkId>),
    ClaimDue(Uuid, Vec<WorkId>),
    Postpone(Vec<(WorkId, DateTime<Utc>)>),
    Claim(Vec<(WorkId, i32)>),
    Begin(Vec<(WorkId, i32)>),
    ListBegun(Vec<(WorkId, i32)>),
    ReclaimReleased,
    ClaimAbandoned,
    InsertPauses(Vec<NewPause>),
    ListPauses,
    TryPauses,
    ProbeHeld,
    Lift(BTreeMap<Scope, DateTime<Utc>>),
    Resume(Scope),
    Finish(Vec<Finished>),
}

fn scopes() -> Vec<Scope> {
    SCOPES.map(Scope::app).to_vec()
}

fn lease_from(now: DateTime<Utc>) -> DateTime<Utc> {
    now + Duration::from_secs(4)
}

fn partitions() -> Vec<i16> {
    (0..PARTITIONS).collect()
}

/// In an order that does not depend on who answers.
fn sorted<T: Debug>(answers: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut lines: Vec<String> = answers.into_iter().map(|it| format!("{it:?}")).collect();
    lines.sort_unstable();
    lines
}

/// What the engine's statements answer.
async fn ask<S: WorkStore>(
    store: &S,
    asked: &Asked,
    now: DateTime<Utc>,
) -> storage::Result<Vec<String>> {
    let later = lease_from(now);
    let all = partitions();
    let mut on = store.begin().await?;
    let answer = match asked {
        Asked::Yield(replica) => sorted([on.yield_partitions(KIND, *replica).await?]),
        Asked::ListWaiting => sorted(on.list_waiting_flows(KIND, &all).await?),
        Asked::ListInFlight => {
            let mut flows = on.list_in_flight(KIND, &all).await?;
            for flow in &mut flows {
                flow.unused_pairs.sort_unstable();
            }
            sorted(flows)
        }
        Asked::CountReleased => sorted([on.count_released(KIND, &all).await?]),
        Asked::PickDue(flows) => sorted(on.pick_due(KIND, flows, now).await?),
        Asked::Release(owner, ids) => sorted(on.release(*owner, ids, now, later).await?),
        Asked::ClaimDue(owner, ids) => sorted(on.claim_due(*owner, ids, now, later).await?),
        Asked::Postpone(items) => sorted([on.postpone(items, "later").await?]),
        Asked::Claim(items) => sorted(on.claim(items, now, later).await?),
        Asked::Begin(claims) => sorted(on.begin(claims, later).await?),
        Asked::ListBegun(claims) => sorted(on.list_begun(claims).await?),
        Asked::ReclaimReleased => sorted([on.reclaim_released(KIND, &all, now).await?]),
        Asked::ClaimAbandoned => sorted(on.claim_abandoned(KIND, &all, now, later).await?),
        Asked::InsertPauses(pauses) => sorted([on.insert_pauses(pauses, now).await?]),
        Asked::ListPauses => sorted(on.list_pauses(&scopes()).await?),
        Asked::TryPauses => sorted(on.try_pauses(&scopes(), now, later).await?),
        Asked::ProbeHeld => sorted([on.probe_held(now).await?]),
        Asked::Finish(finished) => sorted(on.finish(finished, now).await?),
        Asked::Hold(_) | Asked::Insert(_) | Asked::Lift(_) | Asked::Resume(_) => Vec::new(),
    };
    store.commit(on).await?;
    Ok(answer)
}

/// What others ask of the same tables.
async fn ask_database(database: &Database, asked: &Asked, now: DateTime<Utc>) -> Vec<String> {
    let mut tx = database.begin().await.unwrap();
    match asked {
        Asked::Insert(works) => work::insert(&mut tx, works, None).await.unwrap(),
        Asked::Lift(proven) => {
            let lifted = work::lift_pauses(&mut tx, proven, now).await.unwrap();
            tx.commit().await.unwrap();
            return sorted(lifted);
        }
        Asked::Resume(scope) => {
            work::resume(&mut tx, scope, now).await.unwrap();
        }
        _ => return ask(database, asked, now).await.unwrap(),
    }
    tx.commit().await.unwrap();
    Vec::new()
}

async fn ask_memory(memory: &Memory, asked: &Asked, now: DateTime<Utc>) -> Vec<String> {
    match asked {
        Asked::Insert(works) => memory.insert(works.clone()).await.unwrap(),
        Asked::Lift(proven) => {
            let mut session = memory.acquire().await.unwrap();
            let lifted = session.lift_pauses(KIND, proven.clone(), now).await;
            return sorted(lifted.unwrap());
        }
        Asked::Resume(scope) => memory.resume(KIND, scope.clone(), now).await,
        _ => return ask(memory, asked, now).await.unwrap(),
    }
    Vec::new()
}

/// Which of the free partitions are taken is left to chance: both get the same.
async fn hold(
    (database, memory): (&Database, &Memory),
    replica: Uuid,
    now: DateTime<Utc>,
) -> (Vec<String>, Vec<String>) {
    let until = lease_from(now);
    let mut tx = database.begin().await.unwrap();
    let expected = tx.hold_partitions(KIND, replica, now, until).await.unwrap();
    tx.commit().await.unwrap();
    let order = [expected.taken.clone(), partitions()].concat();
    let mut session = memory.acquire().await.unwrap();
    let answer = session.hold_in_order((KIND, replica), (now, until), order);
    let answer = answer.await.unwrap();
    let lines = |owned: Ownership| {
        let replicas = format!("{} replicas", owned.replicas);
        [sorted(owned.kept), sorted(owned.taken), vec![replicas]].concat()
    };
    (lines(answer), lines(expected))
}

/// Draws statements that are likely to concern something.
struct Drawing {
    rng: fastrand::Rng,
    flows: Vec<FlowId>,
    replicas: [Uuid; 2],
    works: Vec<WorkId>,
}

impl Drawing {
    fn next(&mut self, now: DateTime<Utc>) -> Asked {
        match self.rng.u8(0..23) {
            0 | 1 => Asked::Insert(self.new_works(now)),
            2 => Asked::Hold(self.replica()),
            3 if self.rng.u8(0..4) == 0 => Asked::Yield(self.replica()),
            3 | 4 => Asked::ListWaiting,
            5 => self
                .rng
                .choice([Asked::ListInFlight, Asked::CountReleased])
                .unwrap(),
            6 => Asked::PickDue(self.permits()),
            7 | 8 => Asked::Release(self.replica(), self.works.clone()),
            9 if self.rng.u8(0..4) == 0 => {
                let items = self.some(|rng| now + Duration::from_millis(rng.u64(0..3_000)));
                Asked::Postpone(items)
            }
            9..=11 => Asked::Claim(self.some(|rng| rng.i32(0..4))),
            12 | 13 => Asked::Begin(self.claims()),
            14 => Asked::ListBegun(self.claims()),
            15 => Asked::ReclaimReleased,
            16 => Asked::ClaimAbandoned,
            17 => Asked::InsertPauses(self.pauses()),
            18 => self
                .rng
                .choice([Asked::ListPauses, Asked::TryPauses])
                .unwrap(),
            19 => Asked::ProbeHeld,
            20 if self.rng.bool() => Asked::Resume(self.scope()),
            20 => {
                let tried_at = now - Duration::from_millis(self.rng.u64(0..2_000));
                Asked::Lift(BTreeMap::from([(self.scope(), tried_at)]))
            }
            21 => Asked::ClaimDue(
                self.replica(),
                self.some(|_| ()).into_iter().map(|(id, ())| id).collect(),
            ),
            _ => Asked::Finish(self.finished(now)),
        }
    }

    fn replica(&mut self) -> Uuid {
        self.rng.choice(self.replicas).unwrap()
    }

    fn scope(&mut self) -> Scope {
        Scope::app(self.rng.choice(SCOPES).unwrap())
    }

    fn new_works(&mut self, now: DateTime<Utc>) -> Vec<NewWork> {
        let count = self.rng.usize(1..5);
        let works: Vec<NewWork> = (0..count)
            .map(|_| {
                let subject = Uuid::from_u128(self.rng.u128(..));
                NewWork {
                    id: WorkId::from_uuid(Uuid::from_u128(self.rng.u128(..))),
                    kind: KIND,
                    flow: self.rng.choice(self.flows.iter().copied()).unwrap(),
                    lane: self
                        .rng
                        .choice([Lane::Reply, Lane::Report, Lane::Bulk])
                        .unwrap(),
                    subject,
                    tenant_id: Some(TenantId::from_uuid(subject)),
                    pair: pair_of(subject),
                    due_at: now + Duration::from_millis(self.rng.u64(0..1_000)),
                    expires_at: None,
                    traceparent: None,
                    created_at: now,
                }
            })
            .collect();
        self.works.extend(works.iter().map(|work| work.id));
        works
    }

    fn permits(&mut self) -> Vec<FlowPermits> {
        let permits = self.flows.iter().map(|flow| FlowPermits {
            flow: *flow,
            permits: self.rng.u32(1..4),
        });
        permits.collect()
    }

    /// Some of the works, each with something.
    fn some<T>(&mut self, mut with: impl FnMut(&mut fastrand::Rng) -> T) -> Vec<(WorkId, T)> {
        let mut chosen = Vec::new();
        for id in &self.works {
            if self.rng.bool() {
                chosen.push((*id, with(&mut self.rng)));
            }
        }
        chosen
    }

    fn claims(&mut self) -> Vec<(WorkId, i32)> {
        self.some(|rng| rng.i32(1..4))
    }

    fn backoff(&mut self) -> Backoff {
        let first = Duration::from_millis(500 * self.rng.u64(1..4));
        Backoff::doubling(first, Duration::from_secs(4))
    }

    fn pauses(&mut self) -> Vec<NewPause> {
        let count = self.rng.usize(1..4);
        (0..count)
            .map(|_| NewPause {
                scope: self.scope(),
                tenant_id: None,
                reason: "as the seed has it".to_owned(),
                backoff: self.backoff(),
            })
            .collect()
    }

    fn finished(&mut self, now: DateTime<Utc>) -> Vec<Finished> {
        let claims = self.claims();
        let finished = claims.into_iter().map(|(id, attempt)| {
            let reason = "as the seed has it".to_owned();
            let disposition = match self.rng.u8(0..6) {
                0 => Disposition::Done,
                1 => Disposition::Dead { reason },
                2 => Disposition::Hold {
                    scope: self.scope(),
                    reason,
                },
                _ => Disposition::Retry {
                    due_at: now + Duration::from_millis(self.rng.u64(0..2_000)),
                    failed: self.rng.bool(),
                    reason,
                },
            };
            Finished {
                id,
                attempt,
                losses: Losses::of(self.rng.i32(0..3)),
                disposition,
            }
        });
        finished.collect()
    }
}

#[tokio::test]
async fn the_store_in_memory_answers_as_postgresql_does() {
    for seed in 0..6 {
        let stage = stage().await;
        let memory = Memory::new(seed, Arc::new(History::new(BTreeMap::new(), |_| true)));
        let mut rng = fastrand::Rng::with_seed(seed);
        let flows = (0..3).map(|_| FlowId::from_uuid(Uuid::from_u128(rng.u128(..))));
        let mut drawing = Drawing {
            flows: flows.collect(),
            replicas: [Uuid::from_u128(1), Uuid::from_u128(2)],
            works: Vec::new(),
            rng,
        };
        let mut now = DateTime::UNIX_EPOCH + Duration::from_hours(500_000);
        for step in 0..250 {
            now += Duration::from_millis(drawing.rng.u64(0..700));
            let asked = drawing.next(now);
            let (answer, expected) = match asked {
                Asked::Hold(replica) => hold((&stage.database, &memory), replica, now).await,
                _ => (
                    ask_memory(&memory, &asked, now).await,
                    ask_database(&stage.database, &asked, now).await,
                ),
            };
            assert_eq!(answer, expected, "seed {seed}, step {step}: {asked:?}");
        }
    }
}
