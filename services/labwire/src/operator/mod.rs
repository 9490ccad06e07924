//! The operator's commands, as the owner of the database.
//! Thin: what a decision means is in `convergence`.

pub(crate) mod dead_letters;
mod table;
pub(crate) mod unconfirmed;

use std::{io::Write, process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use clap::Args;
use domain::{ApiKeyId, Clock, SystemClock, TenantId, VendorId};
use sealed_records::{DataKeys, PlatformRecords};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use service_runtime::{
    config::{PostgresConfig, RuntimeConfig, Settings, VaultConfig, reference},
    settings,
};
use storage::{
    Database,
    api_keys::{NewApiKey, insert_api_key},
    sender_numbers,
    tenants::insert_vendor,
    webhook_apps::{WebhookApp, find_app, upsert_app},
};
use tokio::{runtime::Handle, task::spawn_blocking};
use vault::{ApiKey, KeyRing};

use crate::all;

/// How the page about the settings begins.
const SETTINGS_PAGE: &str = "# Configuration

Settings are environment variables, or `key` in `[section]` of the TOML file that `--config` names; the environment goes first.
A service reads the sections that concern it, and refuses to start, with exit code 2, if one of them is wrong.
Written by `labwire settings`.
";

settings! {
    /// Everything that the operator's commands are told.
    pub struct Config {
        postgres: PostgresConfig,
        vault: VaultConfig,
    }
}

settings! {
    /// What the commands are told that open nothing that is sealed.
    pub struct DatabaseConfig {
        postgres: PostgresConfig,
    }
}

impl DatabaseConfig {
    fn connect(&self) -> anyhow::Result<Database> {
        let url = self.postgres.url.expose_secret();
        Ok(Database::connect(url, 1, self.postgres.acquire_timeout)?)
    }
}

#[derive(Args)]
pub(crate) struct AddVendor {
    /// The vendor's name.
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct AddApp {
    /// The app's name in the webhook's path: lower case letters, digits, - and _.
    pub(crate) key: String,
    /// The app secret that signs its webhooks.
    #[arg(long, env = "LABWIRE_APP_SECRET", hide_env_values = true)]
    pub(crate) app_secret: SecretString,
    /// The token that the provider shows when the callback URL is configured.
    #[arg(long, env = "LABWIRE_APP_VERIFY_TOKEN", hide_env_values = true)]
    pub(crate) verify_token: SecretString,
    /// The lab whose own app it is: it may speak of that lab's numbers only. Absent: the platform's app, for all labs.
    #[arg(long, value_name = "LAB_ID")]
    pub(crate) lab: Option<TenantId>,
}

#[derive(Args)]
pub(crate) struct AssignApp {
    /// The app, as `add-app` named it.
    pub(crate) key: String,
    /// The numbers' ids at the provider.
    #[arg(required = true, value_name = "PHONE_NUMBER_ID")]
    pub(crate) numbers: Vec<String>,
}

/// A connection as the owner, and the keys.
struct Owner {
    database: Database,
    keys: DataKeys,
}

impl Owner {
    fn new(config: &Config) -> anyhow::Result<Self> {
        let database = Database::connect(
            config.postgres.url.expose_secret(),
            2,
            config.postgres.acquire_timeout,
        )?;
        let ring =
            KeyRing::parse(&config.vault.master_keys, &config.vault.index_key).context("vault")?;
        let keys = DataKeys::new(database.clone(), ring, Arc::new(SystemClock));
        Ok(Self { database, keys })
    }

    async fn platform(&self) -> anyhow::Result<PlatformRecords> {
        let mut connection = self.database.acquire().await?;
        Ok(self
            .keys
            .ensure_platform(&mut connection, SystemClock.now())
            .await?)
    }
}

pub(crate) async fn migrate(config: &Config) -> anyhow::Result<()> {
    let (runtime, url) = (Handle::current(), config.postgres.url.clone());
    // A migration's future cannot be shown to be `Send`, so it gets a thread of its own.
    let migration = move || runtime.block_on(storage::migrate(url.expose_secret()));
    spawn_blocking(migration).await?.context("migrate")?;
    Owner::new(config)?.platform().await?;
    tracing::info!("the database is at this version's schema");
    Ok(())
}

pub(crate) async fn add_vendor(config: &Config, vendor: &AddVendor) -> anyhow::Result<()> {
    let key = create_vendor(config, &vendor.name).await?;
    say(key.expose_secret())
}

/// Makes a vendor and returns its API key.
pub(crate) async fn create_vendor(config: &Config, name: &str) -> anyhow::Result<SecretString> {
    let database = Owner::new(config)?.database;
    let now = SystemClock.now();
    let (vendor_id, id) = (VendorId::new_at(now), ApiKeyId::new_at(now));
    let (text, hash) = ApiKey::generate(id.as_uuid());
    let mut tx = database.begin().await?;
    insert_vendor(&mut tx, vendor_id, name, now).await?;
    let key = NewApiKey {
        id,
        vendor_id,
        tenant_id: None,
        hash: *hash.as_bytes(),
        name: "first".to_owned(),
    };
    insert_api_key(&mut tx, &key, now).await?;
    tx.commit().await.context("commit")?;
    Ok(SecretString::from(text.expose().to_owned()))
}

pub(crate) async fn add_app(config: &Config, app: &AddApp) -> anyhow::Result<()> {
    let owner = Owner::new(config)?;
    let platform = owner.platform().await?;
    create_app(&owner.database, &platform, app).await
}

async fn create_app(
    database: &Database,
    platform: &PlatformRecords,
    app: &AddApp,
) -> anyhow::Result<()> {
    let record = WebhookApp {
        key: app.key.clone(),
        app_secret: platform.seal_app_secret(app.app_secret.expose_secret()),
        verify_token: platform.seal_verify_token(app.verify_token.expose_secret()),
        tenant_id: app.lab,
    };
    let mut connection = database.acquire().await?;
    upsert_app(&mut connection, &record, SystemClock.now())
        .await
        .context("the app could not be stored")
}

pub(crate) async fn assign_app(
    config: &DatabaseConfig,
    assignment: &AssignApp,
) -> anyhow::Result<()> {
    let (key, numbers) = (&assignment.key, &assignment.numbers);
    let database = config.connect()?;
    let mut tx = database.begin().await?;
    if find_app(&mut tx, key).await?.is_none() {
        bail!("there is no app {key}: labwire add-app adds it");
    }
    let assigned = sender_numbers::assign_app(&mut tx, key, numbers).await?;
    let left: Vec<&str> = numbers
        .iter()
        .filter(|it| !assigned.contains(it))
        .map(String::as_str)
        .collect();
    if !left.is_empty() {
        bail!(
            "nothing was changed: {} is no number of a lab that {key} may speak of",
            left.join(", ")
        );
    }
    database.commit(tx).await.context("commit")
}

/// Keys of data at rest, as the settings that hold them.
pub(crate) fn generate_keys() -> ExitCode {
    let (master, index) = (KeyRing::generate_spec(), KeyRing::generate_index_key());
    exit(&say(&format!(
        "LABWIRE_VAULT__MASTER_KEYS={master}\nLABWIRE_VAULT__INDEX_KEY={index}"
    )))
}

pub(crate) fn print_settings() -> ExitCode {
    let all = [all::Config::describe(), RuntimeConfig::describe()].concat();
    let tables = reference(&all);
    exit(&say(&format!("{SETTINGS_PAGE}\n{}", tables.trim_end())))
}

fn say_json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(value)?)
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("standard output is closed")
}

fn exit(result: &anyhow::Result<()>) -> ExitCode {
    if result.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
