use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use reqwest::{Client, redirect::Policy};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    config::{Config, Limits, Timing, Webhooks},
    faults::Faults,
    ledger::Ledger,
    seed::Seed,
    webhooks::{Due, Outbox, Receipt, Timed, Update},
    world::World,
};

/// What every part of a running simulator shares.
pub(crate) struct Engine {
    pub(crate) base_url: String,
    pub(crate) timing: Timing,
    pub(crate) limits: Limits,
    pub(crate) webhooks: Webhooks,
    pub(crate) clock: Clock,
    pub(crate) ledger: Ledger,
    pub(crate) faults: Faults,
    pub(crate) http: Client,
    pub(crate) stop: CancellationToken,
    world: Mutex<World>,
    seed: Seed,
    tasks: TaskTracker,
    outbox: Outbox,
    timer: UnboundedSender<Timed>,
    epoch: AtomicU64,
}

impl Engine {
    pub(crate) fn new(
        config: Config,
        base_url: String,
    ) -> Result<(Arc<Self>, UnboundedReceiver<Timed>), reqwest::Error> {
        let http = Client::builder()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(10))
            .no_proxy()
            .pool_max_idle_per_host(if config.webhooks.keep_alive {
                usize::MAX
            } else {
                0
            })
            .build()?;
        let (timer, schedule) = unbounded_channel();
        let now = config.clock.now();
        let engine = Self {
            base_url,
            world: Mutex::new(World::new(
                config.seed.clone(),
                &config.limits,
                now,
                first_sequence(),
            )),
            seed: config.seed,
            timing: config.timing,
            ledger: Ledger::new(config.limits.ledger_entries),
            limits: config.limits,
            webhooks: config.webhooks,
            clock: config.clock,
            faults: Faults::default(),
            http,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            outbox: Outbox::default(),
            timer,
            epoch: AtomicU64::new(0),
        };
        Ok((Arc::new(engine), schedule))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Runs a task until it ends or the simulator stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { stop.run_until_cancelled(task).await });
    }

    /// Runs a call to its end, even if the client that made it goes away.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.tasks.spawn(task).await.ok()
    }

    pub(crate) async fn stopped(&self, limit: Duration) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(limit, self.tasks.wait()).await.ok();
    }

    pub(crate) fn after(&self, delay: Duration, due: Due) {
        // The receiver is gone only when the simulator has stopped.
        self.timer
            .send(Timed {
                at: Instant::now() + delay,
                due,
            })
            .ok();
    }

    /// Something that was due has come.
    pub(crate) fn fire(self: &Arc<Self>, due: Due) {
        match due {
            Due::Status(status) => {
                let receipt = Receipt {
                    wamid: status.wamid,
                    status: status.event.status,
                    tried: status.taken,
                };
                let code = status.event.error_code;
                self.ledger.happened(&receipt.wamid, receipt.status, code);
                self.world().chats.report(&receipt.wamid, status.event);
                self.emit(&status.update, Some(receipt));
            }
            Due::Review(template_id) => self.review(&template_id),
        }
    }

    /// Sends an update to every app that is subscribed.
    pub(crate) fn emit(self: &Arc<Self>, update: &Update, mut receipt: Option<Receipt>) {
        let targets = self
            .world()
            .accounts
            .targets(&update.waba_id, update.phone_number_id.as_deref());
        for target in targets {
            self.outbox
                .push(self, target, update.clone(), receipt.take());
        }
    }

    fn review(self: &Arc<Self>, template_id: &str) {
        let update = {
            let mut world = self.world();
            let Some(template) = world.templates.get_mut(template_id) else {
                return;
            };
            if template.status != "PENDING" {
                return;
            }
            template.status = "APPROVED".into();
            template_update(&template.waba_id, template.status_update())
        };
        self.emit(&update, None);
    }

    /// Everything as it was at the start; the faults, the ledger and the conversations are gone.
    pub(crate) fn reset(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
        self.faults.clear();
        self.ledger.clear();
        let mut world = self.world();
        let sequence = world.next_sequence();
        *world = World::new(self.seed.clone(), &self.limits, self.now(), sequence);
    }

    /// Changes with a reset and with everything a page shows.
    pub(crate) fn version(&self) -> String {
        format!(
            "{}.{}",
            self.epoch.load(Ordering::Relaxed),
            self.world().chats.version()
        )
    }
}

/// From the real time, so that a simulator started again gives no id a second time.
fn first_sequence() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

pub(crate) fn template_update(waba_id: &str, value: serde_json::Value) -> Update {
    Update {
        waba_id: waba_id.to_owned(),
        phone_number_id: None,
        field: "message_template_status_update".into(),
        value,
    }
}
