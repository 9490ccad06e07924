use std::{str::FromStr, time::Duration};

use domain::TenantId;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, PgPool, Postgres,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use crate::{
    DatabaseClock, Error, Result,
    commit::{Fate, Written},
};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// A connection that a caller borrows to the functions of this crate.
pub type Connection = PgConnection;
/// A connection outside any transaction; dropped, it goes back to its pool.
pub type PooledConnection = PoolConnection<Postgres>;
/// A transaction: rolls back when dropped, `commit` ends it.
pub type Transaction = sqlx::Transaction<'static, Postgres>;

/// Longer than a commit takes that still works.
const COMMIT_ANSWER: Duration = Duration::from_secs(4);
/// How often the server is asked what became of a transaction whose commit was not answered.
const INQUIRIES: u32 = 20;
const INQUIRY_PAUSE: Duration = Duration::from_millis(250);
/// A connection that was idle for so long is asked whether it still lives before it is used.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// A pool of connections as one role, and the time on the other side of it.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
    clock: DatabaseClock,
}

impl Database {
    /// Prepares the pool; connects when first used, so that a service starts while the database is away.
    pub fn connect(url: &str, max_connections: u32, acquire_timeout: Duration) -> Result<Self> {
        let clock = DatabaseClock::new();
        let each = clock.clone();
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| Box::pin(is_alive(connection, meta.idle_for)))
            .after_connect(move |connection, _| {
                let clock = each.clone();
                Box::pin(async move { clock.synchronise(connection).await })
            })
            .connect_lazy_with(options(url)?.options(SESSION));
        Ok(Self { pool, clock })
    }

    /// The database's clock: whoever has had a connection of this pool reads the same time as all others.
    pub fn clock(&self) -> DatabaseClock {
        self.clock.clone()
    }

    /// A connection outside any transaction.
    pub async fn acquire(&self) -> Result<PooledConnection> {
        Ok(self.pool.acquire().await?)
    }

    /// A transaction that acts for no tenant: for workers and for what no tenant owns.
    pub async fn begin(&self) -> Result<Transaction> {
        self.begin_with("BEGIN".to_owned()).await
    }

    async fn begin_with(&self, statements: String) -> Result<Transaction> {
        let pool = self.pool.clone();
        let begin = async move { pool.begin_with(AssertSqlSafe(statements)).await };
        #[expect(
            clippy::disallowed_methods,
            reason = "a BEGIN that is given up before it is answered leaves a transaction that the driver does not know of"
        )]
        let transaction = tokio::spawn(begin).await;
        Ok(transaction.map_err(|_| sqlx::Error::WorkerCrashed)??)
    }

    /// A transaction that sees and writes rows of these tenants only (row-level security).
    pub async fn begin_for(&self, tenants: &[TenantId]) -> Result<Transaction> {
        let list = tenants
            .iter()
            .map(|tenant| tenant.as_uuid().to_string())
            .collect::<Vec<_>>()
            .join(",");
        // Local to the transaction: the next user of this connection starts with none. Not SET, of which pg_stat_statements
        // would keep every text.
        let begin = format!("BEGIN; SELECT set_config('labwire.tenants', '{list}', true)");
        self.begin_with(begin).await
    }

    /// Commits. Should the answer be lost, the server is asked what became of the transaction: an error means that it was not
    /// committed, or that nobody could tell.
    pub async fn commit(&self, mut tx: Transaction) -> Result<()> {
        // Before the commit is sent, silence means that there is none.
        let asked = timeout(COMMIT_ANSWER, Written::by(&mut tx)).await;
        let written = asked.map_err(|_| Error::silent())??;
        let error = match timeout(COMMIT_ANSWER, tx.commit()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => Error::from(error),
            Err(_) => Error::silent(),
        };
        match written {
            Some(written) if error.is_unavailable() => self.find_out(&written, error).await,
            _ => Err(error),
        }
    }

    async fn find_out(&self, written: &Written, lost: Error) -> Result<()> {
        for _ in 0..INQUIRIES {
            let asked = timeout(COMMIT_ANSWER, async {
                written.fate(&mut *self.acquire().await?).await
            });
            match asked.await {
                Ok(Ok(Fate::Committed)) => return Ok(()),
                Ok(Ok(Fate::Aborted | Fate::Unknown)) => return Err(lost),
                Ok(Ok(Fate::Open) | Err(_)) | Err(_) => tokio::time::sleep(INQUIRY_PAUSE).await,
            }
        }
        Err(lost)
    }

    /// Waits until the server answers: for readiness.
    pub async fn until_reachable(&self) {
        while let Err(error) = self.ping().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the database is not reachable yet"
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Asks the server for an answer.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// A connection that died while idle must not cost a caller an error. One that was used a moment ago is taken as it is.
async fn is_alive(connection: &mut PgConnection, idle_for: Duration) -> sqlx::Result<bool> {
    if idle_for >= ASK_AFTER {
        connection.ping().await?;
    }
    Ok(true)
}

/// Nothing waits for ever, on either side: not a peer that fell silent, not a lock held by a process that was frozen.
/// And plans are the same on every day: each query goes by an index, whatever the statistics say of tables that were empty an
/// hour ago, and is planned once for all its parameters (ADR 18).
const SESSION: [(&str, &str); 11] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "15s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20s"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];

/// Brings the database at `url` to this version's schema; `url` names the role that owns it.
pub async fn migrate(url: &str) -> Result<()> {
    let mut connection = PgConnection::connect_with(&options(url)?).await?;
    MIGRATOR
        .run(&mut connection)
        .await
        .map_err(Error::Migration)?;
    connection.close().await?;
    Ok(())
}

fn options(url: &str) -> Result<PgConnectOptions> {
    // Statements stay out of the log: slow ones are PostgreSQL's to report (log_min_duration_statement).
    Ok(PgConnectOptions::from_str(url)?
        .application_name("labwire")
        .disable_statement_logging())
}
