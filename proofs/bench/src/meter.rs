//! What one message costs: CPU time by program, statements, rows and log by PostgreSQL's own count.

use std::collections::BTreeMap;

use stage::{Servers, say};

use crate::{
    load::as_f64,
    usage::Usage,
    waits::{Waits, Watch},
};

/// Statements that are named one by one.
const NAMED: usize = 24;

/// Counts from its start to its stop.
pub(crate) struct Meter {
    usage: Usage,
    counted: Counted,
    watch: Option<Watch>,
}

/// What PostgreSQL has counted so far, without our own questions.
#[derive(Clone, Copy, Default)]
struct Counted {
    statements: f64,
    rows: f64,
    wal_bytes: f64,
    commits: f64,
}

/// For one message.
pub(crate) struct Cost {
    /// Milliseconds, which is seconds for a thousand messages.
    cpu_ms: BTreeMap<&'static str, f64>,
    statements: f64,
    rows: f64,
    wal_bytes: f64,
    commits: f64,
    /// The costliest statements: milliseconds, calls, and how they begin.
    dearest: Vec<(f64, f64, String)>,
    waits: Option<Waits>,
}

impl Meter {
    /// With what is waited for meanwhile, if that is asked for.
    pub(crate) async fn start(servers: &Servers, watches: bool) -> anyhow::Result<Self> {
        let reset = "SELECT statistics.pg_stat_statements_reset()";
        servers.sql(reset).await?;
        Ok(Self {
            usage: Usage::now()?,
            counted: Counted::read(servers).await?,
            watch: (watches.then(|| Watch::start(servers.database_url()))).transpose()?,
        })
    }

    pub(crate) async fn stop(self, servers: &Servers, messages: u64) -> anyhow::Result<Cost> {
        let waits = self.watch.map(Watch::stop).transpose()?;
        let each = |total: f64| total / as_f64(messages);
        let now = Usage::now()?;
        let cpu = now.since(&self.usage);
        let counted = Counted::read(servers).await?;
        Ok(Cost {
            cpu_ms: (cpu.into_iter())
                .map(|(program, seconds)| (program, each(seconds * 1e3)))
                .collect(),
            statements: each(counted.statements - self.counted.statements),
            rows: each(counted.rows - self.counted.rows),
            wal_bytes: each(counted.wal_bytes - self.counted.wal_bytes),
            commits: each(counted.commits - self.counted.commits),
            dearest: dearest(servers, messages).await?,
            waits,
        })
    }
}

impl Counted {
    async fn read(servers: &Servers) -> anyhow::Result<Self> {
        let query = "SELECT coalesce(sum(calls), 0)::float8, \
             coalesce(sum(rows) FILTER (WHERE query ~ '(INSERT INTO|UPDATE|DELETE FROM) '), 0)::float8, \
             coalesce(sum(wal_bytes), 0)::float8, coalesce(sum(calls) FILTER (WHERE query = 'COMMIT'), 0)::float8 \
             FROM statistics.pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let line = servers.sql(query).await?;
        let mut numbers = line.trim().split('|').map(str::parse::<f64>);
        let mut next = || numbers.next().and_then(Result::ok).unwrap_or_default();
        Ok(Self {
            statements: next(),
            rows: next(),
            wal_bytes: next(),
            commits: next(),
        })
    }
}

async fn dearest(servers: &Servers, messages: u64) -> anyhow::Result<Vec<(f64, f64, String)>> {
    let query = format!(
        "SELECT total_exec_time / {messages}, calls::float8 / {messages}, \
         substr(regexp_replace(query, '\\s+', ' ', 'g'), 1, 90) \
         FROM statistics.pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         ORDER BY total_exec_time DESC LIMIT {NAMED}"
    );
    let lines = servers.sql(&query).await?;
    let parsed = lines.lines().filter_map(|line| {
        let mut fields = line.trim().splitn(3, '|');
        let millis = fields.next()?.parse().ok()?;
        let calls = fields.next()?.parse().ok()?;
        Some((millis, calls, fields.next()?.trim().to_owned()))
    });
    Ok(parsed.collect())
}

impl Cost {
    /// Milliseconds of CPU, without the provider's and the LIMS's.
    pub(crate) fn of_the_platform(&self) -> f64 {
        let platform = self
            .cpu_ms
            .iter()
            .filter(|(program, _)| **program != "bench");
        platform.map(|(_, millis)| millis).sum()
    }

    pub(crate) fn print(&self) {
        let total: f64 = self.cpu_ms.values().sum();
        say(&format!(
            "  for one message: {total:.2} ms of CPU, {:.1} statements, {:.1} rows, {:.0} bytes of WAL, {:.2} commits",
            self.statements, self.rows, self.wal_bytes, self.commits
        ));
        for (program, millis) in &self.cpu_ms {
            say(&format!("    {program:<16} {millis:>7.3} ms of CPU"));
        }
        for (millis, calls, statement) in &self.dearest {
            say(&format!(
                "    {millis:>7.3} ms {calls:>7.2} calls  {statement}"
            ));
        }
        if let Some(waits) = &self.waits {
            waits.print();
        }
    }
}
