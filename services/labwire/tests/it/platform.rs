//! Starts the platform as an operator does, with the simulator's sample laboratory as the provider's accounts.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use labwire::all::{self, Listeners};
use meta_simulator::{Config as SimulatorConfig, Seed, Simulator};
use queue::{Broker, RabbitConfig};
use secrecy::SecretString;
use service_runtime::{
    Lifecycle,
    config::{Settings as _, Source},
    http_client::{self, Timeouts},
};
use tempfile::TempDir;
use testkit::{Receiver, TestDatabase, eventually, rabbitmq::Vhost};
use tokio::net::TcpListener;
use vault::KeyRing;

const APP_ID: &str = "100000000000001";
const APP_SECRET: &str = "app_secret";
const VERIFY_TOKEN: &str = "verify";
const GRACE: Duration = Duration::from_secs(10);
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// All services but the simulator share this process; the simulator is the outside world.
pub(crate) struct Platform {
    pub(crate) simulator: Simulator,
    pub(crate) database: TestDatabase,
    /// The LIMS.
    pub(crate) receiver: Receiver,
    pub(crate) http: reqwest::Client,
    pub(crate) api: String,
    pub(crate) vendor_key: String,
    settings: Vec<(&'static str, String)>,
    lifecycle: Lifecycle,
    _files: TempDir,
}

/// What runs in this process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Services {
    All,
    /// The test starts senders as processes of their own.
    AllButSender,
}

impl Platform {
    /// One process, nothing but a database.
    pub(crate) async fn in_one_process() -> Self {
        Self::in_one_process_told(&[]).await
    }

    /// The same with settings of the test's own.
    pub(crate) async fn in_one_process_told(more: &[(&'static str, &str)]) -> Self {
        let database = testkit::database().await;
        Self::start(database, Broker::in_process(), Services::All, None, more).await
    }

    /// The same on a database of the test's own.
    pub(crate) async fn in_one_process_on(database: TestDatabase) -> Self {
        Self::start(database, Broker::in_process(), Services::All, None, &[]).await
    }

    pub(crate) async fn over_rabbitmq(vhost: &Vhost) -> Self {
        let (database, broker) = (testkit::database().await, rabbitmq(vhost).await);
        Self::start(database, broker, Services::All, Some(vhost), &[]).await
    }

    pub(crate) async fn without_sender(vhost: &Vhost) -> Self {
        let (database, broker) = (testkit::database().await, rabbitmq(vhost).await);
        Self::start(database, broker, Services::AllButSender, Some(vhost), &[]).await
    }

    async fn start(
        database: TestDatabase,
        broker: Broker,
        services: Services,
        vhost: Option<&Vhost>,
        more: &[(&'static str, &str)],
    ) -> Self {
        let files = tempfile::tempdir().unwrap();
        let simulator = simulator().await;
        let mut settings = settings(&simulator, &files, vhost);
        settings.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let vendor_key = prepare_database(&database, &settings);

        let lifecycle = Lifecycle::for_tests();
        let listeners = Listeners {
            api: listener().await,
            webhook: listener().await,
        };
        let api = format!("http://{}", listeners.api.local_addr().unwrap());
        let webhook = listeners.webhook.local_addr().unwrap();
        let source = Source::from_pairs(settings.clone())
            .with_pairs([("LABWIRE_POSTGRES__URL", database.owner_url.clone())]);
        let config = all::Config::from_source(&source).unwrap();
        match services {
            Services::All => all::serve(config, broker, listeners, lifecycle.clone())
                .await
                .unwrap(),
            Services::AllButSender => {
                serve_without_sender(config, &database, broker, listeners, &lifecycle).await;
            }
        }
        lifecycle.until_ready().await;
        let webhook = format!("http://{webhook}/webhooks/meta/main");
        simulator
            .set_webhook(APP_ID, &webhook, SecretString::from(VERIFY_TOKEN))
            .await
            .unwrap();
        Self {
            simulator,
            database,
            receiver: Receiver::start().await,
            http: http_client::new(Timeouts::default(), "test")
                .build()
                .unwrap(),
            api,
            vendor_key,
            settings,
            lifecycle,
            _files: files,
        }
    }

    /// A sender as a process of its own, told what the others are told. It is killed with the answer.
    pub(crate) fn sender_process(&self, settings: &[(&str, &str)]) -> tokio::process::Child {
        let labwire = std::path::Path::new(env!("CARGO_BIN_EXE_labwire"));
        let sender = labwire.with_file_name("sender");
        assert!(
            sender.exists(),
            "{} is not built: test the whole workspace, or cargo build -p sender first",
            sender.display()
        );
        tokio::process::Command::new(sender)
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .env("LABWIRE_POSTGRES__URL", &self.database.worker_url)
            .env("LABWIRE_TELEMETRY__LOG_LEVEL", "warn")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// What one of the operator's commands says.
    pub(crate) fn labwire(&self, arguments: &[&str]) -> String {
        labwire(&self.database, &self.settings, arguments)
    }

    /// Completes when nothing is left to do: every send, event and callback is settled, but for what a test planted as a backlog.
    pub(crate) async fn until_idle(&self) {
        eventually(LIMIT, async || {
            let left = "select kind, state from work where reason is distinct from 'backlog'";
            let left = self.database.rows(left).await;
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
    }

    /// Every task ends in good order.
    pub(crate) async fn stop(self) {
        self.lifecycle.shutdown(GRACE).await.unwrap();
        self.simulator.shutdown().await;
    }
}

/// Lets a process end in good order: what it holds is free at once.
pub(crate) async fn end(mut process: tokio::process::Child) {
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    assert!(process.wait().await.unwrap().success());
}

async fn rabbitmq(vhost: &Vhost) -> Broker {
    Broker::rabbitmq(RabbitConfig::new(&vhost.amqp_url, "test").unwrap()).await
}

async fn simulator() -> Simulator {
    let config = SimulatorConfig {
        seed: Seed::sample(),
        ..SimulatorConfig::default()
    };
    meta_simulator::start(config, listener().await).unwrap()
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn settings(
    simulator: &Simulator,
    files: &TempDir,
    vhost: Option<&Vhost>,
) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("LABWIRE_POSTGRES__MAX_CONNECTIONS", "6".to_owned()),
        ("LABWIRE_VAULT__MASTER_KEYS", KeyRing::generate_spec()),
        ("LABWIRE_VAULT__INDEX_KEY", KeyRing::generate_index_key()),
        (
            "LABWIRE_ATTACHMENTS__URL",
            format!("file://{}", files.path().display()),
        ),
        ("LABWIRE_GRAPH__BASE_URL", simulator.base_url().to_owned()),
        ("LABWIRE_CALLBACKS__ALLOW_LOOPBACK", "true".to_owned()),
        // What one patient may get has tests of its own, which do not wait.
        ("LABWIRE_SENDER__PAIR_RATE", "100".to_owned()),
    ];
    settings.extend(vhost.map(|vhost| ("LABWIRE_AMQP__URL", vhost.amqp_url.clone())));
    settings
}

fn labwire(
    database: &TestDatabase,
    settings: &[(&'static str, String)],
    arguments: &[&str],
) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_labwire"))
        .args(arguments)
        .env_clear()
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .env("LABWIRE_POSTGRES__URL", &database.owner_url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// With the operator's commands. The answer is a vendor's key.
fn prepare_database(database: &TestDatabase, settings: &[(&'static str, String)]) -> String {
    let labwire = |arguments: &[&str]| labwire(database, settings, arguments);
    labwire(&["migrate"]);
    labwire(&[
        "add-app",
        "main",
        "--app-secret",
        APP_SECRET,
        "--verify-token",
        VERIFY_TOKEN,
    ]);
    labwire(&["add-vendor", "Test LIMS"])
}

async fn serve_without_sender(
    mut config: all::Config,
    database: &TestDatabase,
    broker: Broker,
    listeners: Listeners,
    lifecycle: &Lifecycle,
) {
    config.api_gateway.postgres.url = database.gateway_url.clone().into();
    config.webhook_ingest.postgres.url = database.ingest_url.clone().into();
    config.status_worker.postgres.url = database.worker_url.clone().into();
    config.callback_worker.postgres.url = database.worker_url.clone().into();
    status_worker::run(&config.status_worker, broker.clone(), lifecycle).unwrap();
    callback_worker::run(&config.callback_worker, broker.clone(), lifecycle).unwrap();
    webhook_ingest::serve(&config.webhook_ingest, broker, listeners.webhook, lifecycle).unwrap();
    api_gateway::serve(config.api_gateway, listeners.api, lifecycle.clone())
        .await
        .unwrap();
}
