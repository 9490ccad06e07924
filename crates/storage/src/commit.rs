use crate::{Connection, Result};

/// A transaction that has written something, by the server's own name for it.
pub(crate) struct Written {
    id: String,
    backend: i32,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    Aborted,
    /// Nobody ended it yet.
    Open,
}

impl Written {
    /// `None` if the transaction has written nothing: then its end does not matter.
    pub(crate) async fn by(tx: &mut Connection) -> Result<Option<Self>> {
        let row = sqlx::query!(
            r#"SELECT pg_current_xact_id_if_assigned()::text AS id, pg_backend_pid() AS "backend!""#
        )
        .fetch_one(tx)
        .await?;
        Ok(row.id.map(|id| Self {
            id,
            backend: row.backend,
        }))
    }

    /// Asks on another connection. One that is still open has lost its client, whose word will never come: it is ended.
    pub(crate) async fn fate(&self, connection: &mut Connection) -> Result<Fate> {
        let status = sqlx::query_scalar!("SELECT pg_xact_status($1::text::xid8)", self.id)
            .fetch_one(&mut *connection)
            .await?;
        match status.as_deref() {
            Some("committed") => return Ok(Fate::Committed),
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
