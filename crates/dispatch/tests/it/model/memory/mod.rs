//! A store in memory whose server is far away: each statement takes its time, may fail, may be carried out without an
//! answer, and goes on when its client has died. All of that is drawn from one seed.

mod connection;
mod ownership;
mod pauses;
mod statements;
pub(crate) mod tables;

use std::{
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use chrono::{DateTime, Utc};
use dispatch::WorkStore;
use domain::{Scope, WorkKind};
use storage::{Result, WorkSignal, work::NewWork};
use tokio::sync::{Notify, mpsc, oneshot};

use self::tables::{Changes, Tables, Tx};
use super::{clock::pass, history::History};

pub(crate) use self::connection::{Connection, Session, Turn};

/// How badly the network to the server behaves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// The share of statements that take some time.
    pub(crate) far: f64,
    /// The share of statements that never arrive.
    pub(crate) fails: f64,
    /// The share whose answer is lost.
    pub(crate) loses: f64,
    /// The share that takes long.
    pub(crate) slow: f64,
    /// The share of signals that nobody hears.
    pub(crate) deaf: f64,
}

#[derive(Clone)]
pub(crate) struct Memory(Arc<Shared>);

pub(crate) struct Shared {
    tables: Mutex<Tables>,
    history: Arc<History>,
    rng: Mutex<fastrand::Rng>,
    weather: Mutex<Weather>,
    listeners: Mutex<Vec<mpsc::UnboundedSender<WorkSignal>>>,
    unlocked: Notify,
}

/// What becomes of one statement.
struct Fate {
    arrives: bool,
    is_answered: bool,
    before: Duration,
    after: Duration,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server outlives its clients, and ends with the schedule's runtime"
)]
fn serve(part: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(part);
}

impl Memory {
    pub(crate) fn new(seed: u64, history: Arc<History>) -> Self {
        Self(Arc::new(Shared {
            tables: Mutex::default(),
            history,
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            weather: Mutex::default(),
            listeners: Mutex::default(),
            unlocked: Notify::new(),
        }))
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        *lock(&self.0.weather) = weather;
    }

    /// Looks at the tables as they are committed.
    pub(crate) fn look<R>(&self, at: impl FnOnce(&Tables) -> R) -> R {
        at(&lock(&self.0.tables))
    }

    pub(crate) async fn insert(&self, work: Vec<NewWork>) -> Result<()> {
        let mut connection = Session::new(self.clone(), None);
        let inserted = connection.run(move |tables, tx, _| {
            tables.insert(tx, &work);
            Ok(())
        });
        inserted.await
    }

    /// As an operator who has mended the cause.
    pub(crate) async fn resume(&self, kind: WorkKind, scope: Scope, now: DateTime<Utc>) {
        let mut connection = Session::new(self.clone(), None);
        let resumed = connection.run(move |tables, tx, _| tables.resume(tx, kind, &scope, now));
        // In bad weather the operator tries again another time.
        resumed.await.ok();
    }

    fn draw_fate(&self) -> Fate {
        let weather = *lock(&self.0.weather);
        let mut rng = lock(&self.0.rng);
        let mut time = || {
            let millis = match rng.f64() {
                it if it < weather.slow / 8.0 => rng.u64(1_000..8_000),
                it if it < weather.slow => rng.u64(20..600),
                it if it < weather.slow + weather.far => rng.u64(1..15),
                _ => 0,
            };
            Duration::from_millis(millis)
        };
        let (before, after) = (time(), time());
        Fate {
            arrives: rng.f64() >= weather.fails,
            is_answered: rng.f64() >= weather.loses,
            before,
            after,
        }
    }

    fn end(&self, tx: Tx, commits: bool) {
        let changes: Changes = {
            let mut tables = lock(&self.0.tables);
            let changes = tables.end(tx, commits);
            self.0.history.committed(&changes, &tables);
            changes
        };
        for signal in changes.signals {
            lock(&self.0.listeners).retain(|listener| listener.send(signal).is_ok());
        }
        self.0.unlocked.notify_waiters();
    }

    /// The server finds out some time later that its client is gone.
    fn abandon(&self, tx: Tx) {
        let delay = self.draw_fate().before;
        let store = self.clone();
        serve(async move {
            pass(delay).await;
            store.end(tx, false);
        });
    }
}

impl WorkStore for Memory {
    type Connection = Connection;
    type Session = Session;
    type Transaction = Session;

    async fn acquire(&self) -> Result<Session> {
        Ok(Session::new(self.clone(), None))
    }

    async fn begin(&self) -> Result<Session> {
        let tx = lock(&self.0.tables).begin();
        Ok(Session::new(self.clone(), Some(tx)))
    }

    async fn commit(&self, mut transaction: Session) -> Result<()> {
        let fate = self.draw_fate();
        let Some(tx) = fate.arrives.then(|| transaction.give_up()).flatten() else {
            return Err(storage::Error::silent());
        };
        let (answer, answered) = oneshot::channel();
        let store = self.clone();
        serve(async move {
            pass(fate.before).await;
            store.end(tx, true);
            pass(fate.after).await;
            if fate.is_answered {
                answer.send(()).ok();
            }
        });
        answered.await.map_err(|_| storage::Error::silent())
    }

    async fn until_reachable(&self) {}

    async fn listen(&self, mut heard: impl FnMut(Option<WorkSignal>) + Send) -> Result<Infallible> {
        let (told, mut signals) = mpsc::unbounded_channel();
        lock(&self.0.listeners).push(told);
        heard(None);
        while let Some(signal) = signals.recv().await {
            let draw = lock(&self.0.rng).f64();
            let deaf = lock(&self.0.weather).deaf;
            if draw < deaf / 4.0 {
                break;
            }
            if draw >= deaf {
                heard(Some(signal));
            }
        }
        Err(storage::Error::silent())
    }
}
