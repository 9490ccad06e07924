use chrono::{DateTime, Utc};

use crate::{Connection, Result};

/// A transaction that has written something, by the server's own name for it.
pub(crate) struct Written {
    id: String,
    backend: i32,
    /// Since when the server counts: it begins anew after a crash, and only then. A crash may forget that a transaction's id
    /// was given away, and give it to another.
    life: Option<DateTime<Utc>>,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    Aborted,
    /// Nobody ended it yet.
    Open,
    /// One of this name is committed, but the server has crashed meanwhile: it may be another.
    Unknown,
}

impl Written {
    /// `None` if the transaction has written nothing: then its end does not matter.
    pub(crate) async fn by(tx: &mut Connection) -> Result<Option<Self>> {
        let row = sqlx::query!(
            r#"
            SELECT pg_current_xact_id_if_assigned()::text AS id, pg_backend_pid() AS "backend!",
                   (SELECT stats_reset FROM pg_stat_wal) AS life
            "#
        )
        .fetch_one(tx)
        .await?;
        Ok(row.id.map(|id| Self {
            id,
            backend: row.backend,
            life: row.life,
        }))
    }

    /// Asks on another connection. One that is still open has lost its client, whose word will never come: it is ended.
    pub(crate) async fn fate(&self, connection: &mut Connection) -> Result<Fate> {
        let found = sqlx::query!(
            r#"
            SELECT pg_xact_status($1::text::xid8) AS status,
                   (SELECT stats_reset FROM pg_stat_wal) IS NOT DISTINCT FROM $2::timestamptz AS "lived_on!"
            "#,
            self.id,
            self.life
        )
        .fetch_one(&mut *connection)
        .await?;
        match found.status.as_deref() {
            Some("committed") if found.lived_on => return Ok(Fate::Committed),
            Some("committed") => return Ok(Fate::Unknown),
            Some("in progress") => {}
            // Also so long ago that it is forgotten: nothing of ours is.
            _ => return Ok(Fate::Aborted),
        }
        sqlx::query!(
            r#"
            SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
            WHERE pid = $1 AND backend_xid = $2::text::xid8::xid AND state = 'idle in transaction'
            "#,
            self.backend,
            self.id
        )
        .fetch_optional(connection)
        .await?;
        Ok(Fate::Open)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Database;

    /// A transaction that has written something, committed or not; and the server's word on it.
    async fn asked(commits: bool, crashes: bool) -> Fate {
        let test = testkit::database().await;
        let database = Database::connect(&test.worker_url, 2, Duration::from_secs(5)).unwrap();
        let mut tx = database.begin().await.unwrap();
        let insert = "INSERT INTO replicas VALUES ('send', gen_random_uuid(), now())";
        sqlx::query(insert).execute(&mut *tx).await.unwrap();
        let mut written = Written::by(&mut tx).await.unwrap().unwrap();
        if commits {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
        if crashes {
            written.life = Some(DateTime::UNIX_EPOCH);
        }
        let mut connection = database.acquire().await.unwrap();
        written.fate(&mut connection).await.unwrap()
    }

    #[tokio::test]
    async fn the_server_knows_what_became_of_a_transaction() {
        assert_eq!(asked(true, false).await, Fate::Committed);
        assert_eq!(asked(false, false).await, Fate::Aborted);
    }

    /// After a crash the same id may be another's: what it came to says nothing about ours, unless it says no.
    #[tokio::test]
    async fn after_a_crash_it_knows_only_what_did_not_happen() {
        assert_eq!(asked(true, true).await, Fate::Unknown);
        assert_eq!(asked(false, true).await, Fate::Aborted);
    }
}
