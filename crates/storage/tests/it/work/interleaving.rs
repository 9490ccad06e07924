//! Any order of what releasers, consumers, sweeps and clocks may do, against a model of what must hold.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::{FlowId, Lane, WorkId, WorkKind};
use proptest::prelude::*;
use storage::{
    Connection,
    work::{
        Candidate, Claim, Disposition, FlowPermits, NewWork, begin, claim, claim_abandoned,
        claim_due, finish, hold_partitions, insert, pick_due, reclaim_released, release,
    },
};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::{any_flow, finished, new_work};
use crate::support::{Stage, now, seconds, stage};

const WORKS: usize = 4;

/// One step; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Release {
        permits: u32,
    },
    /// The releaser claims for its own process.
    Keep {
        permits: u32,
    },
    /// A hint is delivered, perhaps once more, perhaps long after it was published.
    Deliver(usize),
    Begin(usize),
    /// Some claim ever made is finished, whether or not it is still held.
    Finish(usize, Ending),
    Sweep,
    Wait(u64),
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Done,
    Retry,
    Dead,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = any::<usize>();
    let ending = prop_oneof![
        Just(Ending::Done),
        Just(Ending::Retry),
        Just(Ending::Retry),
        Just(Ending::Dead)
    ];
    let step = prop_oneof![
        3 => (1..4_u32).prop_map(|permits| Step::Release { permits }),
        2 => (1..3_u32).prop_map(|permits| Step::Keep { permits }),
        4 => any.prop_map(Step::Deliver),
        2 => any.prop_map(Step::Begin),
        2 => (any, ending).prop_map(|(n, ending)| Step::Finish(n, ending)),
        2 => Just(Step::Sweep),
        2 => (1..20_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// What happened so far, and what must follow from it.
struct World {
    at: DateTime<Utc>,
    owner: Uuid,
    flow: FlowId,
    hints: Vec<(WorkId, i32)>,
    claims: Vec<Claim>,
    /// Claims that may have been acted on.
    begun: HashSet<(WorkId, i32)>,
    /// Claims that ended by an outcome.
    ended: HashSet<(WorkId, i32)>,
    settled: HashMap<WorkId, usize>,
}

impl World {
    async fn new(connection: &mut Connection) -> Self {
        let (at, flow, owner) = (now(), any_flow(), Uuid::new_v4());
        let works: Vec<NewWork> = (0..WORKS)
            .map(|_| new_work(flow, Lane::Report, at))
            .collect();
        insert(connection, &works, None).await.unwrap();
        // The only replica, for longer than any case goes on.
        let lease = at + seconds(1_000_000);
        hold_partitions(connection, WorkKind::Send, owner, at, lease)
            .await
            .unwrap();
        Self {
            at,
            owner,
            flow,
            hints: Vec::new(),
            claims: Vec::new(),
            begun: HashSet::new(),
            ended: HashSet::new(),
            settled: works.iter().map(|work| (work.id, 0)).collect(),
        }
    }

    async fn take(&mut self, connection: &mut Connection, step: &Step) {
        match step {
            Step::Release { permits } => self.release(connection, *permits).await,
            Step::Keep { permits } => self.keep(connection, *permits).await,
            Step::Deliver(n) => self.deliver(connection, *n).await,
            Step::Begin(n) => self.begin(connection, *n).await,
            Step::Finish(n, ending) => self.finish(connection, *n, *ending).await,
            Step::Sweep => self.sweep(connection).await,
            Step::Wait(n) => self.at += seconds(*n),
        }
    }

    async fn due(&self, connection: &mut Connection, permits: u32) -> Vec<Candidate> {
        let flows = [FlowPermits {
            flow: self.flow,
            permits,
        }];
        pick_due(connection, WorkKind::Send, &flows, self.at)
            .await
            .unwrap()
    }

    async fn keep(&mut self, connection: &mut Connection, permits: u32) {
        let due = self.due(connection, permits).await;
        let ids: Vec<WorkId> = due.iter().map(|candidate| candidate.id).collect();
        let lease = self.at + seconds(10);
        let claims = claim_due(connection, self.owner, &ids, self.at, lease)
            .await
            .unwrap();
        assert_eq!(claims.len(), ids.len());
        for claim in claims {
            assert!(!claim.begun);
            self.note(claim);
        }
    }

    async fn release(&mut self, connection: &mut Connection, permits: u32) {
        let due = self.due(connection, permits).await;
        let ids: Vec<WorkId> = due.iter().map(|candidate| candidate.id).collect();
        let lease = self.at + seconds(5);
        let released = release(connection, self.owner, &ids, self.at, lease)
            .await
            .unwrap();
        assert_eq!(released.len(), ids.len());
        self.hints.extend(
            due.iter()
                .map(|candidate| (candidate.id, candidate.attempt)),
        );
    }

    async fn deliver(&mut self, connection: &mut Connection, n: usize) {
        let Some(hint) = choose(&self.hints, n) else {
            return;
        };
        let claims = claim(connection, &[hint], self.at, self.at + seconds(10))
            .await
            .unwrap();
        for claim in claims {
            assert!(!claim.begun);
            self.note(claim);
        }
    }

    /// No two claims of a work have the same number.
    fn note(&mut self, claim: Claim) {
        let known = self
            .claims
            .iter()
            .any(|it| (it.id, it.attempt) == (claim.id, claim.attempt));
        assert!(!known, "claimed twice: {claim:?}");
        assert_eq!(
            self.settled[&claim.id], 0,
            "claimed after its end: {claim:?}"
        );
        self.claims.push(claim);
    }

    async fn begin(&mut self, connection: &mut Connection, n: usize) {
        let Some(claim) = choose(&self.claims, n) else {
            return;
        };
        let key = (claim.id, claim.attempt);
        let begun = begin(connection, &[key], self.at + seconds(10))
            .await
            .unwrap();
        if !begun.is_empty() {
            assert!(self.is_held(&claim), "begun by one who lost it: {claim:?}");
            assert!(self.begun.insert(key), "begun twice: {claim:?}");
        }
    }

    /// The latest claim of its work, and without an outcome.
    fn is_held(&self, claim: &Claim) -> bool {
        let latest = self
            .claims
            .iter()
            .filter(|it| it.id == claim.id)
            .map(|it| it.attempt)
            .max();
        latest == Some(claim.attempt) && !self.ended.contains(&(claim.id, claim.attempt))
    }

    async fn finish(&mut self, connection: &mut Connection, n: usize, ending: Ending) {
        let Some(claim) = choose(&self.claims, n) else {
            return;
        };
        let reason = "as the test wants it".to_owned();
        let disposition = match ending {
            Ending::Done => Disposition::Done,
            Ending::Retry => Disposition::Retry {
                due_at: self.at + seconds(3),
                failed: true,
                reason,
            },
            Ending::Dead => Disposition::Dead { reason },
        };
        let ours = finish(connection, &[finished(&claim, disposition)], self.at)
            .await
            .unwrap();
        assert_eq!(ours.contains(&claim.id), self.is_held(&claim), "{claim:?}");
        if ours.contains(&claim.id) {
            self.ended.insert((claim.id, claim.attempt));
            if !matches!(ending, Ending::Retry) {
                *self.settled.get_mut(&claim.id).unwrap() += 1;
            }
        }
    }

    async fn sweep(&mut self, connection: &mut Connection) {
        let here = [self.flow.partition()];
        reclaim_released(connection, WorkKind::Send, &here, self.at)
            .await
            .unwrap();
        let lease = self.at + seconds(10);
        let taken = claim_abandoned(connection, WorkKind::Send, &here, self.at, lease)
            .await
            .unwrap();
        for claim in taken {
            // Whether the lost consumer may have acted is never forgotten.
            let before = (claim.id, claim.attempt - 1);
            let inherited = self
                .claims
                .iter()
                .any(|it| (it.id, it.attempt) == before && it.begun);
            assert_eq!(
                claim.begun,
                self.begun.contains(&before) || inherited,
                "{claim:?}"
            );
            self.note(claim);
        }
    }

    /// Whatever happened: with patience, all work comes to its end.
    async fn settle(&mut self, connection: &mut Connection) {
        for _ in 0..WORKS * 3 {
            self.at += seconds(30);
            self.sweep(connection).await;
            self.release(connection, 10).await;
            for n in 0..self.hints.len() {
                self.deliver(connection, n).await;
            }
            for n in 0..self.claims.len() {
                self.finish(connection, n, Ending::Done).await;
            }
        }
        assert!(
            self.settled.values().all(|ends| *ends == 1),
            "{:?}",
            self.settled
        );
    }
}

fn choose<T: Clone>(from: &[T], n: usize) -> Option<T> {
    from.get(n.checked_rem(from.len())?).cloned()
}

async fn run(stage: &Stage, steps: Vec<Step>) {
    let mut tx = stage.work().await;
    let mut world = World::new(&mut tx).await;
    for step in &steps {
        world.take(&mut tx, step).await;
    }
    world.settle(&mut tx).await;
    tx.rollback().await.unwrap();
}

#[test]
fn work_is_finished_at_most_once_per_claim_and_never_lost() {
    let runtime = Runtime::new().unwrap();
    let stage = runtime.block_on(stage());
    let config = ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in steps())| {
        runtime.block_on(run(&stage, steps));
    });
}
