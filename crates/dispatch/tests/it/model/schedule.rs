//! One schedule: replicas, work, and what goes wrong, all drawn from a seed; then calm, in which all must come to an end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use dispatch::{Deps, Engine, FlowLimits, Settings};
use domain::{Backoff, Clock as _, FlowId, Lane, Rate, Scope, TenantId, WorkId, WorkKind};
use queue::{Broker, Queue};
use storage::work::NewWork;
use tokio::{runtime::Builder, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    clock::{self, VirtualClock, pass},
    handler::{Model, pair_of},
    history::{History, Step},
    memory::{Memory, Weather, tables::State},
};

const KIND: WorkKind = WorkKind::Send;
/// How long the calm may last. All waits of the engine and of the handler end long before.
const PATIENCE: Duration = Duration::from_mins(10);

const FAIR: Weather = Weather {
    far: 0.4,
    fails: 0.0,
    loses: 0.0,
    slow: 0.0,
    deaf: 0.0,
};

/// What a schedule came to.
pub(crate) struct Report {
    pub(crate) broken: Option<String>,
    pub(crate) steps: Vec<(Duration, Step)>,
}

/// Short leases, so that a schedule sees many of them end.
const fn settings(keeps: usize) -> Settings {
    Settings {
        keeps,
        lends: 4,
        release_lease: Duration::from_millis(1500),
        claim_lease: Duration::from_secs(2),
        partition_lease: Duration::from_secs(3),
        poll: Duration::from_secs(1),
        store_timeout: Duration::from_secs(3),
        hint_size: 2,
        prefetch: 8,
        record_batch: 8,
        record_backoff: Backoff {
            first: Duration::from_millis(100),
            factor: 3.0,
            longest: Duration::from_secs(2),
        },
        max_record_failures: 2,
    }
}

/// Runs one schedule in a runtime of its own, where time passes only while everything waits.
pub(crate) fn run(seed: u64) -> Report {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        clock::start();
        let mut schedule = Schedule::new(seed);
        schedule.storm().await;
        schedule.calm().await;
        Report {
            broken: schedule.history.broken(),
            steps: schedule.history.steps(),
        }
    })
}

struct Schedule {
    rng: fastrand::Rng,
    memory: Memory,
    broker: Broker,
    history: Arc<History>,
    model: Model,
    flows: Vec<FlowId>,
    replicas: Vec<Replica>,
    added: Vec<WorkId>,
    /// A thief of hints, and replicas that are stopping.
    aside: JoinSet<()>,
}

/// Dropped, it dies as a process does that is killed; its statements go on.
struct Replica {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let flows: Vec<FlowId> = (0..rng.usize(1..=4))
            .map(|_| FlowId::from_uuid(Uuid::from_u128(rng.u128(..))))
            .collect();
        let limits: BTreeMap<FlowId, FlowLimits> = flows
            .iter()
            .map(|it| (*it, draw_limits(&mut rng)))
            .collect();
        let history = Arc::new(History::new(limits.clone(), move |id| {
            Model::is_mortal(seed, id)
        }));
        Self {
            memory: Memory::new(seed.rotate_left(32), Arc::clone(&history)),
            broker: Broker::in_process(),
            model: Model {
                seed,
                limits: Arc::new(limits),
                history: Arc::clone(&history),
            },
            history,
            rng,
            flows,
            replicas: Vec::new(),
            added: Vec::new(),
            aside: JoinSet::new(),
        }
    }

    async fn storm(&mut self) {
        for _ in 0..self.rng.usize(1..=3) {
            self.start();
        }
        self.draw_weather();
        let (broker, rng) = (self.broker.clone(), self.rng.fork());
        self.aside.spawn(steal(broker, rng));
        for step in 0..self.rng.usize(5..12) {
            match self.rng.u8(0..16) {
                0..7 => self.add().await,
                7..9 => self.kill(),
                9 => self.stop(),
                10..12 => self.start(),
                12 => self.resume(step).await,
                13..15 => self.draw_weather(),
                _ => {}
            }
            let longest = if self.rng.u8(0..4) == 0 { 4_000 } else { 700 };
            pass(Duration::from_millis(self.rng.u64(0..longest))).await;
            if self.history.broken().is_some() {
                return;
            }
        }
    }

    async fn calm(&mut self) {
        self.history.event("calm", 0);
        self.memory.set_weather(FAIR);
        self.aside.shutdown().await;
        if self.replicas.is_empty() {
            self.start();
        }
        let begun = clock::since_start();
        while self.history.broken().is_none() {
            let held = self.memory.look(|tables| {
                let held = tables
                    .work
                    .committed()
                    .filter_map(|(_, work)| match &work.state {
                        State::Held(scope) => Some(scope.clone()),
                        _ => None,
                    });
                held.collect::<Vec<Scope>>()
            });
            for scope in held {
                self.memory.resume(KIND, scope, now()).await;
            }
            let is_over = self.memory.look(|it| it.work.committed().next().is_none());
            if is_over || clock::since_start() > begun + PATIENCE {
                break;
            }
            pass(Duration::from_secs(1)).await;
        }
        // What is still on its way arrives, when nobody waits for it any more.
        self.replicas.clear();
        pass(Duration::from_secs(20)).await;
        self.memory
            .look(|tables| self.history.conclude(&self.added, tables));
    }

    fn start(&mut self) {
        if self.replicas.len() >= 3 {
            return;
        }
        let clock = VirtualClock {
            ahead: Duration::from_millis(self.rng.u64(0..1_000)),
        };
        let deps = Deps {
            database: self.memory.clone(),
            broker: self.broker.clone(),
            clock: Arc::new(clock),
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        // All by the broker, or some of it, or none of it.
        let keeps = self.rng.choice([0, 2, 64]).unwrap_or_default();
        let engine = Engine::new(self.model.clone(), deps, settings(keeps));
        tasks.spawn(engine.run(stop.clone(), CancellationToken::new(), || {}));
        self.replicas.push(Replica { tasks, stop });
        self.history.event("a replica comes", self.replicas.len());
    }

    fn kill(&mut self) {
        if let Some(replica) = self.any_replica() {
            self.history
                .event("a replica is killed", self.replicas.len());
            drop(replica);
        }
    }

    fn stop(&mut self) {
        if let Some(mut replica) = self.any_replica() {
            self.history.event("a replica stops", self.replicas.len());
            replica.stop.cancel();
            // Nobody waits for it, but it is there until it has ended by itself.
            self.aside.spawn(async move {
                replica.tasks.join_next().await;
            });
        }
    }

    fn any_replica(&mut self) -> Option<Replica> {
        if self.replicas.is_empty() {
            return None;
        }
        let which = self.rng.usize(0..self.replicas.len());
        Some(self.replicas.swap_remove(which))
    }

    fn draw_weather(&mut self) {
        let mut share = |most: f64| self.rng.f64() * most;
        let weather = match share(3.0) {
            0.0..1.0 => FAIR,
            1.0..2.0 => Weather {
                fails: share(0.05),
                loses: share(0.05),
                slow: share(0.2),
                deaf: share(0.3),
                ..FAIR
            },
            _ => Weather {
                fails: share(0.3),
                loses: share(0.3),
                slow: share(0.6),
                deaf: 1.0,
                ..FAIR
            },
        };
        self.memory.set_weather(weather);
        self.history.event("weather", 0);
    }

    async fn resume(&mut self, step: usize) {
        let scope = self.rng.choice(["a", "b", "c"]).map(Scope::app);
        if let Some(scope) = scope {
            self.history.event("an operator resumes", step);
            self.memory.resume(KIND, scope, now()).await;
        }
    }

    async fn add(&mut self) {
        let now = now();
        let count = self.rng.usize(1..=6);
        let mut works = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(flow) = self.rng.choice(self.flows.iter().copied()) else {
                return;
            };
            let subject = Uuid::from_u128(self.rng.u128(..));
            let lane = self.rng.choice([Lane::Reply, Lane::Report, Lane::Bulk]);
            let delay = if self.rng.bool() {
                0
            } else {
                self.rng.u64(0..2_000)
            };
            works.push(NewWork {
                id: WorkId::from_uuid(Uuid::from_u128(self.rng.u128(..))),
                kind: KIND,
                flow,
                lane: lane.unwrap_or(Lane::Report),
                subject,
                tenant_id: Some(TenantId::from_uuid(subject)),
                pair: pair_of(subject),
                due_at: now + Duration::from_millis(delay),
                expires_at: None,
                traceparent: None,
                created_at: now,
            });
        }
        let ids = works.iter().map(|work| work.id).collect::<Vec<_>>();
        // Who is not told that it is stored, has not been promised anything.
        if self.memory.insert(works).await.is_ok() {
            self.added.extend(ids);
        }
    }
}

fn now() -> DateTime<Utc> {
    let clock = VirtualClock {
        ahead: Duration::ZERO,
    };
    clock.now()
}

fn draw_limits(rng: &mut fastrand::Rng) -> FlowLimits {
    let rate = |rng: &mut fastrand::Rng, fastest: f64, burst: u32| {
        Rate::new(1.5 + rng.f64() * fastest, rng.u32(1..=burst)).unwrap()
    };
    let scopes = ["a", "b", "c"].into_iter().filter(|_| rng.u8(0..3) == 0);
    let scopes = scopes.map(Scope::app).collect();
    FlowLimits {
        rate: (rng.u8(0..5) > 0).then(|| rate(rng, 12.0, 6)),
        window: rng.u32(1..=8),
        pair: rng.bool().then(|| rate(rng, 2.0, 4)),
        scopes,
    }
}

/// A consumer that should not be there: what it gets hold of is lost, late, out of order, or there twice.
async fn steal(broker: Broker, mut rng: fastrand::Rng) {
    let mut consumer = broker.consume(Queue::Outbound, 4).await;
    loop {
        pass(Duration::from_millis(rng.u64(0..1_500))).await;
        let soon = Duration::from_millis(rng.u64(1..800));
        let Ok(Some(hint)) = timeout(soon, consumer.next()).await else {
            continue;
        };
        let copy = queue::Message {
            body: hint.body.clone(),
            traceparent: None,
        };
        match rng.u8(0..5) {
            0 => hint.ack().await.unwrap_or_default(),
            1 => hint.requeue().await,
            2 => {
                pass(Duration::from_millis(rng.u64(0..3_000))).await;
                hint.requeue().await;
            }
            3 => {
                let copies = vec![copy.clone(), copy];
                drop(broker.publish(Queue::Outbound, copies).await);
                hint.requeue().await;
            }
            _ => {
                hint.ack().await.unwrap_or_default();
                pass(Duration::from_millis(rng.u64(0..6_000))).await;
                drop(broker.publish(Queue::Outbound, vec![copy]).await);
            }
        }
    }
}
