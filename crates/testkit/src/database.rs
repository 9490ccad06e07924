//! A migrated PostgreSQL database for each test, cloned from a template that is built once per set of migrations.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection,
    migrate::{MigrateError, Migrator},
};
use url::Url;
use uuid::Uuid;

use crate::{background, environment};

/// Guards the building of a template against the other test processes.
const TEMPLATE_LOCK: i64 = 0x6c61_6277_6972_6531;

/// A database of the test's own, dropped with this value. The other roles are those of the migrations.
#[derive(Debug)]
pub struct TestDatabase {
    pub name: String,
    pub owner_url: String,
    pub gateway_url: String,
    pub ingest_url: String,
    pub worker_url: String,
    server_url: String,
}

/// A fresh, migrated and otherwise empty database.
pub async fn database() -> TestDatabase {
    let server_url = environment::required("LABWIRE_TEST_DATABASE_URL");
    let name = format!("test_{}", Uuid::new_v4().simple());
    clone_template(&server_url, &name)
        .await
        .unwrap_or_else(|error| panic!("cannot create a test database: {error}"));
    TestDatabase {
        owner_url: with_database(&server_url, &name, None),
        gateway_url: with_database(&server_url, &name, Some("labwire_gateway")),
        ingest_url: with_database(&server_url, &name, Some("labwire_ingest")),
        worker_url: with_database(&server_url, &name, Some("labwire_worker")),
        name,
        server_url,
    }
}

impl TestDatabase {
    /// Runs statements as the owner.
    pub async fn execute(&self, sql: &str) {
        let result = async {
            let mut connection = PgConnection::connect(&self.owner_url).await?;
            connection.execute(AssertSqlSafe(sql)).await?;
            connection.close().await
        };
        result
            .await
            .unwrap_or_else(|error| panic!("`{sql}` failed: {error}"));
    }

    /// How many locks connections to this database are waiting for.
    pub async fn count_blocked(&self) -> usize {
        let waits = "select from pg_locks where not granted and pid in (select pid from pg_stat_activity where datname = current_database())";
        self.rows(waits).await.len()
    }

    /// What a query gives the owner, one JSON object for each row.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        let result = async {
            let mut connection = PgConnection::connect(&self.owner_url).await?;
            let wrapped = format!("select to_jsonb(found) from ({sql}) as found");
            let rows = sqlx::query_scalar(AssertSqlSafe(wrapped))
                .fetch_all(&mut connection)
                .await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>(rows)
        };
        result
            .await
            .unwrap_or_else(|error| panic!("`{sql}` failed: {error}"))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server_url, name) = (self.server_url.clone(), self.name.clone());
        background::finish(async move {
            if let Ok(mut server) = PgConnection::connect(&server_url).await {
                let drop = format!(r#"drop database if exists "{name}" with (force)"#);
                server.execute(AssertSqlSafe(drop)).await.ok();
            }
        });
    }
}

/// The same URL with another host and port: for reaching a server through a [`crate::TcpProxy`].
pub fn through(url: &str, address: SocketAddr) -> String {
    let mut url = parse(url);
    let replaced = url
        .set_ip_host(address.ip())
        .and_then(|()| url.set_port(Some(address.port())));
    assert!(
        replaced.is_ok(),
        "a URL without a host cannot go through {address}"
    );
    url.into()
}

fn with_database(url: &str, database: &str, user: Option<&str>) -> String {
    let mut url = parse(url);
    url.set_path(database);
    if let Some(user) = user {
        let replaced = url.set_username(user).and_then(|()| url.set_password(None));
        assert!(replaced.is_ok(), "a URL without a host has no user");
    }
    url.into()
}

pub(crate) fn parse(url: &str) -> Url {
    Url::parse(url)
        .unwrap_or_else(|error| panic!("a URL of the test environment is wrong: {error}"))
}

async fn clone_template(server_url: &str, name: &str) -> Result<(), MigrateError> {
    let template = template_name()?;
    let mut server = PgConnection::connect(server_url).await?;
    let clone = format!(r#"create database "{name}" template "{template}""#);
    if !database_exists(&mut server, &template).await? {
        sqlx::query("select pg_advisory_lock($1)")
            .bind(TEMPLATE_LOCK)
            .execute(&mut server)
            .await?;
        if !database_exists(&mut server, &template).await? {
            build_template(&mut server, server_url, &template).await?;
        }
        sqlx::query("select pg_advisory_unlock($1)")
            .bind(TEMPLATE_LOCK)
            .execute(&mut server)
            .await?;
    }
    server.execute(AssertSqlSafe(clone)).await?;
    server.close().await?;
    Ok(())
}

async fn database_exists(server: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(server)
        .await
}

/// Migrates under another name first: a template with its final name is complete, whenever a process was killed.
/// Nobody may connect to it then, because a database in use cannot be cloned.
async fn build_template(
    server: &mut PgConnection,
    server_url: &str,
    template: &str,
) -> Result<(), MigrateError> {
    let draft = format!("{template}_draft");
    let create = format!(r#"drop database if exists "{draft}" with (force)"#);
    server.execute(AssertSqlSafe(create)).await?;
    server
        .execute(AssertSqlSafe(format!(r#"create database "{draft}""#)))
        .await?;

    let migrator = Migrator::new(migrations().as_path()).await?;
    let mut connection = PgConnection::connect(&with_database(server_url, &draft, None)).await?;
    migrator.run(&mut connection).await?;
    connection.close().await?;

    let close = format!(r#"alter database "{draft}" allow_connections false"#);
    server.execute(AssertSqlSafe(close)).await?;
    let finish = format!(r#"alter database "{draft}" rename to "{template}""#);
    server.execute(AssertSqlSafe(finish)).await?;
    Ok(())
}

fn migrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations")
}

/// Read when the test runs, not when it is compiled: a migration just added needs no rebuild to count.
fn template_name() -> Result<String, MigrateError> {
    let read = || {
        let mut files: Vec<PathBuf> = fs::read_dir(migrations())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
        files.sort();
        let mut hash = Sha256::new();
        for file in &files {
            hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hash.update([0]);
            hash.update(fs::read(file)?);
            hash.update([0]);
        }
        Ok(hex::encode(hash.finalize()))
    };
    let hash = read().map_err(|error: std::io::Error| MigrateError::Source(error.into()))?;
    Ok(format!("template_{}", hash.get(..16).unwrap_or(&hash)))
}
