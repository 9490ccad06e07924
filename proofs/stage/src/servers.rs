use std::{path::Path, process::Stdio};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use reqwest::Method;
use serde_json::Value;
use tokio::process::Command;
use url::Url;

/// Where the private servers of this run are; `scripts/devstack with` says it in the environment.
#[derive(Args, Clone, Debug)]
pub struct ServersOptions {
    /// The instance's name, by which its servers can be stopped and started.
    #[arg(long, env = "LABWIRE_DEVSTACK", value_name = "NAME")]
    instance: String,
    /// An empty database, as its owner.
    #[arg(long, env = "LABWIRE_TEST_DATABASE_URL", value_name = "URL")]
    database_url: String,
    #[arg(long, env = "LABWIRE_TEST_AMQP_URL", value_name = "URL")]
    amqp_url: String,
    /// The broker's management API.
    #[arg(long, env = "LABWIRE_TEST_RABBITMQ_API", value_name = "URL")]
    rabbitmq_api: String,
}

/// A server that can be stopped, killed and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Postgres,
    RabbitMq,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "pg",
            Self::RabbitMq => "rabbitmq",
        }
    }
}

/// The private PostgreSQL and RabbitMQ, and what can be done to them.
#[derive(Clone, Debug)]
pub struct Servers {
    options: ServersOptions,
    http: reqwest::Client,
}

impl Servers {
    pub fn new(options: ServersOptions, http: reqwest::Client) -> Self {
        Self { options, http }
    }

    pub fn database_url(&self) -> &str {
        &self.options.database_url
    }

    /// The same servers with another database of theirs.
    pub fn with_database(&self, name: &str) -> anyhow::Result<Self> {
        let mut url: Url = self.options.database_url.parse()?;
        url.set_path(name);
        let mut servers = self.clone();
        servers.options.database_url = url.into();
        Ok(servers)
    }

    pub fn amqp_url(&self) -> &str {
        &self.options.amqp_url
    }

    /// Stops it as an administrator would.
    pub async fn stop(&self, server: Server) -> anyhow::Result<()> {
        self.devstack("stop", &[server.name()]).await
    }

    /// Ends it without letting it finish anything.
    pub async fn kill(&self, server: Server) -> anyhow::Result<()> {
        self.devstack("kill", &[server.name()]).await
    }

    /// Returns when it answers.
    pub async fn start(&self, server: Server) -> anyhow::Result<()> {
        self.devstack("start", &[server.name()]).await
    }

    pub async fn rabbitmqctl(&self, arguments: &[&str]) -> anyhow::Result<()> {
        self.devstack("rabbitmqctl", arguments).await
    }

    /// A small disk of the instance's own; returns where it is.
    pub async fn disk(&self, megabytes: u32) -> anyhow::Result<String> {
        let size = megabytes.to_string();
        let answer = self.run("disk", &[&size]).await?;
        Ok(answer.trim().to_owned())
    }

    /// Runs SQL as the database's owner, past every proxy, and returns what it prints.
    pub async fn sql(&self, text: &str) -> anyhow::Result<String> {
        psql(&self.options.database_url, text).await
    }

    /// The same as another role.
    pub async fn sql_as(&self, role: &str, text: &str) -> anyhow::Result<String> {
        let mut url: Url = self.options.database_url.parse()?;
        url.set_username(role)
            .ok()
            .context("a URL without a host")?;
        psql(url.as_str(), text).await
    }

    /// Asks the broker's management API.
    pub async fn management(&self, method: Method, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.options.rabbitmq_api);
        let request = self
            .http
            .request(method, url)
            .basic_auth("guest", Some("guest"));
        let answer = request.send().await?;
        let status = answer.status();
        ensure!(
            status.is_success() || status.as_u16() == 404,
            "{path}: {status}"
        );
        Ok(answer.json().await.unwrap_or_default())
    }

    async fn devstack(&self, command: &str, arguments: &[&str]) -> anyhow::Result<()> {
        self.run(command, arguments).await.map(drop)
    }

    async fn run(&self, command: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/devstack");
        let output = Command::new(script)
            .arg(command)
            .arg(&self.options.instance)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await
            .context("scripts/devstack cannot be started")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("scripts/devstack {command} {}: {said}", arguments.join(" "));
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

async fn psql(url: &str, text: &str) -> anyhow::Result<String> {
    let output = Command::new("psql")
        .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d"])
        .arg(url)
        .args(["-c", text])
        .stdin(Stdio::null())
        .output()
        .await
        .context("psql cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "psql: {said}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
