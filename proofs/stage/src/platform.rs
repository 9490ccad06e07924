use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use testkit::TcpProxy;
use tokio::{
    process::Command,
    task::JoinSet,
    time::{Instant, sleep},
};
use url::Url;
use vault::KeyRing;

use crate::{
    balancer::Balancer,
    labs::{APP_KEY, Lab, Labs},
    lims::{Account, Lims},
    ports::free_addresses,
    provider::{Provider, webhook_url},
    receiver::CallbackReceiver,
    replica::{Replica, Service},
    servers::Servers,
};

/// Labs that register at the same time.
const REGISTERED_AT_ONCE: usize = 8;
/// How long the whole of it may take to come up.
const PATIENCE: Duration = Duration::from_mins(1);
/// The setting that names a service's database.
const DATABASE_URL: &str = "LABWIRE_POSTGRES__URL";

/// What is to be set up.
pub struct Plan {
    pub labs: Vec<Lab>,
    /// How many processes of each service there are.
    pub replicas: fn(Service) -> usize,
    /// Settings that every service is told.
    pub settings: Vec<(&'static str, String)>,
    /// Where report files are kept.
    pub files: PathBuf,
    /// Where logs and ledgers go.
    pub folder: PathBuf,
    /// Whether the database and the ingest are reached through relays, which faults can cut; they cost time.
    pub relays: bool,
}

/// The platform: every service with its replicas, between a provider and the LIMS.
pub struct Platform {
    pub servers: Servers,
    /// Every service reaches the database through it.
    pub database_proxy: TcpProxy,
    pub provider: Provider,
    pub callbacks: CallbackReceiver,
    pub lims: Lims,
    pub labs: Vec<Lab>,
    pub registered: Vec<Registered>,
    replicas: HashMap<Service, Vec<Replica>>,
    listening: HashMap<Service, Vec<SocketAddr>>,
    health: Health,
    ingest: Balancer,
    _supervisors: JoinSet<()>,
}

/// What a lab was told when it registered.
#[derive(Clone, Debug)]
pub struct Registered {
    pub lab_id: String,
    pub callback_secret: String,
}

impl Platform {
    pub async fn start(plan: Plan, servers: Servers) -> anyhow::Result<Self> {
        let labs = Labs(plan.labs.clone());
        let provider = Provider::start(&labs, !plan.relays).await?;
        let callbacks = CallbackReceiver::start().await?;
        let operator = Operator::new(&plan, &servers, &provider);
        let vendor_key = operator.prepare(&labs, &provider).await?;
        let database_proxy = proxy_of(servers.database_url()).await?;
        let database = plan.relays.then(|| database_proxy.address().port());
        let mut fleet = Fleet::new(&plan, &servers, database, operator.settings.clone())?;
        fleet.start(plan.replicas).await?;

        let ingests = fleet.addresses(Service::WebhookIngest);
        let ingest = Balancer::start(ingests.clone()).await?;
        let direct = ingests.first().filter(|_| !plan.relays);
        provider
            .call_back(*direct.unwrap_or(&ingest.address))
            .await?;
        let http = client()?;
        let gateways = fleet.addresses(Service::ApiGateway);
        let gateways: Vec<String> = gateways.iter().map(|it| format!("http://{it}")).collect();
        let first = gateways.first().context("there is no gateway")?;
        let bodies: Vec<Value> = (plan.labs.iter())
            .map(|lab| lab.registration(&callbacks.url()))
            .collect();
        let registering = bodies
            .iter()
            .map(|body| register(&http, first, &vendor_key, body));
        let labs_known: Vec<_> = stream::iter(registering)
            .buffered(REGISTERED_AT_ONCE)
            .try_collect()
            .await?;
        let (accounts, registered) = labs_known.into_iter().unzip();
        operator.assign_app(&labs).await?;
        let mut supervisors = JoinSet::new();
        for replica in fleet.replicas.values().flatten() {
            supervisors.spawn(replica.clone().supervise());
        }
        Ok(Self {
            servers,
            database_proxy,
            provider,
            callbacks,
            lims: Lims::new(http, gateways, accounts),
            labs: plan.labs,
            registered,
            replicas: fleet.replicas,
            listening: fleet.listening,
            health: fleet.health,
            ingest,
            _supervisors: supervisors,
        })
    }

    /// The processes of a service.
    pub fn replicas(&self, service: Service) -> &[Replica] {
        self.replicas.get(&service).map_or(&[], Vec::as_slice)
    }

    pub fn all_replicas(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.values().flatten()
    }

    /// Ends all processes of the services as a deployment would; nobody starts them again but `start_on`.
    pub async fn stop(&self) -> anyhow::Result<()> {
        for replica in self.all_replicas() {
            replica.hold().await.terminate(PATIENCE).await?;
        }
        Ok(())
    }

    /// Starts what was stopped on another database of the same server, and returns when all of it is ready.
    pub async fn start_on(&mut self, database: &str) -> anyhow::Result<()> {
        self.servers = self.servers.with_database(database)?;
        for replica in self.all_replicas() {
            let url = replica
                .service()
                .database_url(self.servers.database_url())?;
            replica.hold().await.start(&[(DATABASE_URL, url)])?;
        }
        self.health.until_ready().await
    }

    /// Until no work is left: statuses and callbacks of all that was sent are through, too.
    pub async fn until_done(&self, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while self.servers.sql("SELECT count(*) FROM work").await? != "0" {
            ensure!(Instant::now() < deadline, "work is left after {patience:?}");
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    /// Where the first process of a service listens.
    pub fn address(&self, service: Service) -> anyhow::Result<SocketAddr> {
        let addresses = self.listening.get(&service).and_then(|it| it.first());
        addresses.copied().context("it has no process")
    }

    /// Where webhooks are posted.
    pub fn webhook_url(&self) -> String {
        webhook_url(self.ingest.address)
    }
}

/// A client of somebody outside: it does not wait for ever.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    let timeouts = service_runtime::http_client::Timeouts {
        total: Duration::from_secs(10),
        ..Default::default()
    };
    Ok(service_runtime::http_client::new(timeouts, "Proof-LIMS/1.0").build()?)
}

async fn proxy_of(database_url: &str) -> anyhow::Result<TcpProxy> {
    let url: Url = database_url.parse()?;
    let host = url.host_str().unwrap_or("127.0.0.1");
    let address = format!("{host}:{}", url.port().unwrap_or(5432));
    Ok(TcpProxy::start(address.parse()?).await)
}

async fn register(
    http: &reqwest::Client,
    gateway: &str,
    vendor_key: &SecretString,
    body: &Value,
) -> anyhow::Result<(Account, Registered)> {
    let request = http
        .post(format!("{gateway}/api/labs/register"))
        .bearer_auth(vendor_key.expose_secret())
        .json(body);
    let answer = request.send().await?;
    let status = answer.status();
    let answer: Value = answer.json().await?;
    let field = |name: &str| {
        let text = answer.get(name).and_then(Value::as_str);
        text.map(str::to_owned)
            .with_context(|| format!("the lab was not registered: {status} {answer}"))
    };
    let lab_id = field("lab_id")?;
    let account = Account {
        lab_id: lab_id.clone(),
        api_key: SecretString::from(field("api_key")?),
    };
    let callback_secret = field("callback_secret")?;
    Ok((
        account,
        Registered {
            lab_id,
            callback_secret,
        },
    ))
}

/// The operator's commands, as the owner of the database.
struct Operator {
    settings: Vec<(String, String)>,
    database_url: String,
}

impl Operator {
    fn new(plan: &Plan, servers: &Servers, provider: &Provider) -> Self {
        let own = [
            ("LABWIRE_VAULT__MASTER_KEYS", KeyRing::generate_spec()),
            ("LABWIRE_VAULT__INDEX_KEY", KeyRing::generate_index_key()),
            (
                "LABWIRE_ATTACHMENTS__URL",
                format!("file://{}", plan.files.display()),
            ),
            ("LABWIRE_AMQP__URL", servers.amqp_url().to_owned()),
            (
                "LABWIRE_GRAPH__BASE_URL",
                provider.simulator().base_url().to_owned(),
            ),
            ("LABWIRE_CALLBACKS__ALLOW_LOOPBACK", "true".to_owned()),
            (
                "LABWIRE_TELEMETRY__LOG_LEVEL",
                "warn,lapin=error".to_owned(),
            ),
        ];
        let settings = own.into_iter().chain(plan.settings.iter().cloned());
        Self {
            settings: settings
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            database_url: servers.database_url().to_owned(),
        }
    }

    /// Returns a vendor's key.
    async fn prepare(&self, labs: &Labs, provider: &Provider) -> anyhow::Result<SecretString> {
        self.run(&["migrate"]).await?;
        let secrets = [
            "--app-secret",
            provider.app_secret().expose_secret(),
            "--verify-token",
            provider.verify_token().expose_secret(),
        ];
        self.run(&[&["add-app", APP_KEY], secrets.as_slice()].concat())
            .await?;
        let key = self.run(&["add-vendor", "Proof LIMS"]).await?;
        ensure!(!labs.0.is_empty(), "there are no labs");
        Ok(SecretString::from(key.trim().to_owned()))
    }

    /// All labs send with the platform's app's tokens: a throttle of the app concerns them all.
    async fn assign_app(&self, labs: &Labs) -> anyhow::Result<()> {
        let numbers: Vec<String> = labs.0.iter().map(Lab::phone_number_id).collect();
        let numbers = numbers.iter().map(String::as_str);
        let arguments: Vec<&str> = ["assign-app", APP_KEY].into_iter().chain(numbers).collect();
        self.run(&arguments).await?;
        Ok(())
    }

    async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(program("labwire")?)
            .args(arguments)
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .env(DATABASE_URL, &self.database_url)
            .stdin(Stdio::null())
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr);
        let name = arguments.first().copied().unwrap_or_default();
        ensure!(output.status.success(), "labwire {name}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The processes, and where they listen.
struct Fleet {
    settings: Vec<(String, String)>,
    database_url: Url,
    replicas: HashMap<Service, Vec<Replica>>,
    listening: HashMap<Service, Vec<SocketAddr>>,
    health: Health,
}

/// Where the processes say how they are.
struct Health {
    http: reqwest::Client,
    of: Vec<(Service, SocketAddr)>,
    /// Where their logs are.
    folder: PathBuf,
}

impl Fleet {
    fn new(
        plan: &Plan,
        servers: &Servers,
        database_port: Option<u16>,
        settings: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        let mut database_url: Url = servers.database_url().parse()?;
        if let Some(port) = database_port {
            database_url.set_port(Some(port)).ok();
        }
        Ok(Self {
            settings,
            database_url,
            replicas: HashMap::new(),
            listening: HashMap::new(),
            health: Health {
                http: client()?,
                of: Vec::new(),
                folder: plan.folder.clone(),
            },
        })
    }

    fn addresses(&self, service: Service) -> Vec<SocketAddr> {
        self.listening.get(&service).cloned().unwrap_or_default()
    }

    /// Starts everything, and returns when all of it is ready.
    async fn start(&mut self, replicas: fn(Service) -> usize) -> anyhow::Result<()> {
        let total: usize = Service::ALL.into_iter().map(replicas).sum();
        let mut free = free_addresses(total * 2)?.into_iter();
        let mut next = || free.next().context("too few addresses");
        for service in Service::ALL {
            for index in 0..replicas(service) {
                let (listen, admin) = (next()?, next()?);
                let replica = self.replica(service, index, (listen, admin))?;
                replica.hold().await.start(&[])?;
                self.replicas.entry(service).or_default().push(replica);
                self.listening.entry(service).or_default().push(listen);
                self.health.of.push((service, admin));
            }
        }
        self.health.until_ready().await
    }

    fn replica(
        &self,
        service: Service,
        index: usize,
        (listen, admin): (SocketAddr, SocketAddr),
    ) -> anyhow::Result<Replica> {
        let mut settings = self.settings.clone();
        let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
        let url = service.database_url(self.database_url.as_str())?;
        set(DATABASE_URL, url);
        set("LABWIRE_ADMIN__LISTEN", admin.to_string());
        set("LABWIRE_HTTP__LISTEN", listen.to_string());
        set("LABWIRE_WEBHOOK__LISTEN", listen.to_string());
        settings.retain(|(name, _)| service.reads(name));
        let log = self
            .health
            .folder
            .join(format!("{}-{index}.log", service.name()));
        Ok(Replica::new(
            service,
            program(service.name())?,
            settings,
            log,
        ))
    }
}

impl Health {
    async fn until_ready(&self) -> anyhow::Result<()> {
        for (service, admin) in &self.of {
            self.until_one_is(*service, *admin).await?;
        }
        Ok(())
    }

    async fn until_one_is(&self, service: Service, admin: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let url = format!("http://{admin}/ready");
        loop {
            let answer = self.http.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{} is not ready after {PATIENCE:?}: see {}",
                service.name(),
                self.folder.display()
            );
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A binary of this workspace, beside the one that runs.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("where this program is")?;
    let program = own.parent().unwrap_or(Path::new(".")).join(name);
    ensure!(
        program.exists(),
        "{} is not built: cargo build --bins",
        program.display()
    );
    Ok(program)
}
