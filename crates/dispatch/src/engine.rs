use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use storage::{GroupCommit, News, work::ABANDONED_AT_ONCE};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    Deps, Handler, Settings, WorkStore,
    consumer::{Consumer, record_begins},
    intake::{Intake, UnderWay},
    recorder::Recorder,
    releaser::Releaser,
    store::in_time,
    sweep::sweep,
    wake::Wake,
};

/// Releases and consumes one kind of work.
pub struct Engine<H: Handler> {
    handler: Arc<H>,
    deps: Deps<H::Store>,
    settings: Settings,
}

impl<H: Handler> Engine<H> {
    pub fn new(handler: H, deps: Deps<H::Store>, settings: Settings) -> Self {
        Self {
            handler: Arc::new(handler),
            deps,
            settings,
        }
    }

    /// Runs until `stop`; then releases nothing more, finishes what it has claimed and records it, unless `give_up` comes
    /// first. `alive` is called at every turn of the releaser.
    pub async fn run(
        self,
        stop: CancellationToken,
        give_up: CancellationToken,
        alive: impl Fn() + Send + 'static,
    ) {
        until(stop.clone(), self.until_reachable(&alive)).await;
        let (begins, run_begins) = self.begins();
        let (acted, to_record) = mpsc::channel(self.settings.record_batch * 2);
        let recorder = Recorder::new(Arc::clone(&self.handler), self.deps.clone(), self.settings);
        let under_way = UnderWay::default();
        let consumer = Arc::new(Consumer {
            handler: Arc::clone(&self.handler),
            deps: self.deps.clone(),
            settings: self.settings,
            begins,
            acted,
            under_way: under_way.clone(),
        });
        let (intake, kept) = Intake::new(self.settings.keeps, under_way);
        let releaser = Releaser::new(
            Arc::clone(&self.handler),
            self.deps.clone(),
            self.settings,
            intake,
        );
        let wake = Arc::new(Wake::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(recorder.run(to_record, give_up.clone()));
        tasks.spawn(until(give_up.clone(), run_begins));
        tasks.spawn(until(
            stop.clone(),
            listen(
                self.deps.database.clone(),
                Arc::clone(&wake),
                self.handler.kind(),
            ),
        ));
        tasks.spawn(until(
            give_up.clone(),
            Arc::clone(&consumer).run(kept, stop.clone()),
        ));
        tasks.spawn(until(
            give_up,
            self.release((releaser, consumer), wake, stop, alive),
        ));
        while let Some(result) = tasks.join_next().await {
            if let Err(error) = result
                && error.is_panic()
            {
                // A loop of the engine must not die silently while the service looks alive.
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    /// Before the store's first answer the time is not known, either: it is the database's.
    async fn until_reachable(&self, alive: &impl Fn()) {
        let mut reachable = pin!(self.deps.database.until_reachable());
        loop {
            alive();
            if timeout(self.settings.poll, &mut reachable).await.is_ok() {
                return;
            }
        }
    }

    fn begins(
        &self,
    ) -> (
        GroupCommit<(domain::WorkId, i32), bool>,
        impl Future<Output = ()> + Send + use<H>,
    ) {
        let (deps, lease) = (self.deps.clone(), self.settings.claim_lease);
        GroupCommit::new(self.settings.record_batch, move |claims| {
            record_begins(deps.clone(), lease, claims)
        })
    }

    async fn release(
        self,
        (mut releaser, consumer): (Releaser<H>, Arc<Consumer<H>>),
        wake: Arc<Wake>,
        stop: CancellationToken,
        alive: impl Fn() + Send,
    ) {
        let mut swept_at = Duration::ZERO;
        while !stop.is_cancelled() {
            alive();
            let pause = match in_time(self.settings.store_timeout, releaser.turn(wake.take())).await
            {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "could not release work"
                    );
                    self.settings.poll
                }
            };
            let now = self.deps.clock.monotonic();
            if now >= swept_at + self.settings.poll {
                swept_at = now;
                while self.sweep(&releaser.partitions(), &consumer).await {
                    alive();
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = wake.told() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        let retired = in_time(self.settings.store_timeout, releaser.retire()).await;
        if let Err(error) = retired {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not give up the partitions; their lease will end"
            );
        }
    }

    /// Whether there may be more to sweep.
    async fn sweep(&self, partitions: &[i16], consumer: &Consumer<H>) -> bool {
        let (database, kind, lease) = (
            &self.deps.database,
            self.handler.kind(),
            self.settings.claim_lease,
        );
        let swept = sweep(database, kind, partitions, self.deps.clock.now(), lease);
        match in_time(self.settings.store_timeout, swept).await {
            Ok(abandoned) => {
                let more = abandoned.len() >= ABANDONED_AT_ONCE;
                consumer.take_over(abandoned).await;
                more
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not look for leases that are over"
                );
                false
            }
        }
    }
}

async fn until(stop: CancellationToken, task: impl Future<Output = ()>) {
    stop.run_until_cancelled(task).await;
}

/// Wakes the releaser when something of its kind of work is signalled, or may have been.
async fn listen<S: WorkStore>(database: S, wake: Arc<Wake>, kind: domain::WorkKind) {
    loop {
        let heard = database.listen(|signal| match signal {
            Some(signal) if signal.kind != kind => {}
            Some(signal) => wake.tell(signal.news),
            None => wake.tell(News::Owners),
        });
        let Err(error) = heard.await;
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "cannot listen for work; polling goes on"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
