use std::{path::Path, process::Stdio};

use anyhow::{Context as _, ensure};
use stage::Servers;
use tokio::process::Command;

use crate::options::Options;

/// Rows a second that `pgbench` commits, one INSERT of so many bytes to a transaction.
pub(crate) async fn single_inserts(
    (servers, folder): (&Servers, &Path),
    options: &Options,
    (headers, body): (&str, &[u8]),
) -> anyhow::Result<f64> {
    let create = "CREATE SCHEMA IF NOT EXISTS yardstick;
         DROP TABLE IF EXISTS yardstick.events;
         CREATE TABLE yardstick.events (id uuid PRIMARY KEY, app_key text NOT NULL, headers jsonb NOT NULL, body bytea NOT NULL,
             received_at timestamptz NOT NULL)";
    servers.sql(create).await?;
    let script = folder.join("single-inserts.sql");
    let insert = format!(
        "INSERT INTO yardstick.events VALUES (gen_random_uuid(), 'main', '{}', '\\x{}', now());\n",
        headers.replace('\'', "''"),
        hex::encode(body)
    );
    tokio::fs::write(&script, insert).await?;
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .arg(format!("--client={}", options.connections))
        .arg(format!("--time={}", options.seconds))
        .arg("--file")
        .arg(&script)
        .arg(servers.database_url())
        .stdin(Stdio::null())
        .output()
        .await
        .context("pgbench cannot be started")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pgbench: {complaint}");
    let line = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = line.and_then(|it| it.split_whitespace().next());
    number
        .context("pgbench does not say how many")?
        .parse()
        .context("pgbench")
}
