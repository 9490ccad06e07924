use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    process::{Child, Command},
    sync::{Mutex, MutexGuard},
    time::{sleep, timeout},
};
use url::Url;

/// How often it is looked whether a process still runs.
const GLANCE: Duration = Duration::from_millis(200);

/// A service with a binary of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    ApiGateway,
    WebhookIngest,
    Sender,
    StatusWorker,
    CallbackWorker,
}

impl Service {
    pub const ALL: [Self; 5] = [
        Self::ApiGateway,
        Self::WebhookIngest,
        Self::Sender,
        Self::StatusWorker,
        Self::CallbackWorker,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ApiGateway => "api-gateway",
            Self::WebhookIngest => "webhook-ingest",
            Self::Sender => "sender",
            Self::StatusWorker => "status-worker",
            Self::CallbackWorker => "callback-worker",
        }
    }

    /// The sections of the configuration that it reads, beside those that all read.
    pub(crate) fn reads(self, setting: &str) -> bool {
        let own: &[&str] = match self {
            Self::ApiGateway => &["HTTP", "ATTACHMENTS", "GATEWAY", "CALLBACKS"],
            Self::WebhookIngest => &["WEBHOOK", "INGEST"],
            Self::Sender => &["ATTACHMENTS", "GRAPH", "ENGINE", "SENDER"],
            Self::StatusWorker => &["ENGINE", "EVENTS", "RETENTION"],
            Self::CallbackWorker => &["ENGINE", "CALLBACKS"],
        };
        let all = ["POSTGRES", "AMQP", "VAULT", "TELEMETRY", "ADMIN", "DRAIN"];
        let section = setting.strip_prefix("LABWIRE_");
        let section = section.and_then(|rest| rest.split_once("__"));
        section.is_none_or(|(section, _)| all.contains(&section) || own.contains(&section))
    }

    /// As whom it uses the database that its owner finds at `url`.
    pub(crate) fn database_url(self, url: &str) -> anyhow::Result<String> {
        let mut url: Url = url.parse()?;
        url.set_username(self.role()).ok();
        Ok(url.into())
    }

    fn role(self) -> &'static str {
        match self {
            Self::ApiGateway => "labwire_gateway",
            Self::WebhookIngest => "labwire_ingest",
            _ => "labwire_worker",
        }
    }
}

/// One process of a service, that is started again whenever it has ended and nobody holds it.
#[derive(Clone, Debug)]
pub struct Replica(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: Service,
    program: PathBuf,
    settings: Vec<(String, String)>,
    log: PathBuf,
    process: Mutex<Option<Child>>,
    deaths: AtomicU64,
}

/// A replica that nobody else may touch meanwhile.
pub struct Held<'a> {
    inner: &'a Inner,
    process: MutexGuard<'a, Option<Child>>,
}

impl Replica {
    pub(crate) fn new(
        service: Service,
        program: PathBuf,
        settings: Vec<(String, String)>,
        log: PathBuf,
    ) -> Self {
        Self(Arc::new(Inner {
            service,
            program,
            settings,
            log,
            process: Mutex::new(None),
            deaths: AtomicU64::new(0),
        }))
    }

    pub fn service(&self) -> Service {
        self.0.service
    }

    pub fn log(&self) -> &Path {
        &self.0.log
    }

    /// How often it ended without being asked to.
    pub fn deaths(&self) -> u64 {
        self.0.deaths.load(Ordering::Relaxed)
    }

    /// Keeps the supervisor and all others away from it.
    pub async fn hold(&self) -> Held<'_> {
        Held {
            inner: &self.0,
            process: self.0.process.lock().await,
        }
    }

    /// Looks after it, for ever: as Kubernetes would.
    pub(crate) async fn supervise(self) {
        loop {
            sleep(GLANCE).await;
            let Ok(mut process) = self.0.process.try_lock() else {
                continue;
            };
            let Some(Ok(Some(_))) = process.as_mut().map(Child::try_wait) else {
                continue;
            };
            self.0.deaths.fetch_add(1, Ordering::Relaxed);
            *process = self.0.spawn(&[]).ok();
        }
    }
}

impl Held<'_> {
    /// Starts it with further settings; it must not run.
    pub fn start(&mut self, further: &[(&str, String)]) -> anyhow::Result<()> {
        *self.process = Some(self.inner.spawn(further)?);
        Ok(())
    }

    /// Ends it at once, wherever it is.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill().await.context("cannot kill")?;
        }
        Ok(())
    }

    /// Asks it to end, and returns how it did; after `limit` it is killed and that is an error.
    pub async fn terminate(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let Some(mut process) = self.process.take() else {
            bail!("it does not run");
        };
        if let Some(pid) = process.id() {
            let mut ask = Command::new("kill");
            let asked = ask.args(["-TERM", &pid.to_string()]).status().await;
            asked.context("kill")?;
        }
        if let Ok(status) = timeout(limit, process.wait()).await {
            return Ok(status?);
        }
        process.kill().await.ok();
        bail!("{} did not end within {limit:?}", self.inner.service.name())
    }

    /// Waits until it has ended by itself; false if it still runs after `limit`.
    pub async fn has_died(&mut self, limit: Duration) -> anyhow::Result<bool> {
        let Some(process) = self.process.as_mut() else {
            return Ok(true);
        };
        let Ok(status) = timeout(limit, process.wait()).await else {
            return Ok(false);
        };
        status?;
        *self.process = None;
        Ok(true)
    }
}

impl Inner {
    fn spawn(&self, further: &[(&str, String)]) -> anyhow::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log: File = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        Command::new(&self.program)
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .envs(further.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))
    }
}
