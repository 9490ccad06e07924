use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, FromRow, PgConnection, postgres::PgRow};

use super::{LedgerError, Rows};

/// One snapshot, so that no row is compared with a later one.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// A role that does not see every row is an error, not a loss.
const SEE_EVERYTHING: &str = "SET LOCAL row_security = off";

/// That it was in doubt or given up is forgotten once that is over; the timeline forgets nothing.
const MESSAGES: &str = "
    SELECT s.message_id, s.tenant_id AS lab_id, m.id IS NOT NULL AS has_content, s.state, s.attempts, s.resends,
           s.sent_at IS NOT NULL AS was_sent, s.delivered_at IS NOT NULL AS was_delivered, s.read_at IS NOT NULL AS was_read,
           coalesce(s.failed_at, s.given_up_at) IS NOT NULL OR tried.failed AS was_failed,
           s.unconfirmed_at IS NOT NULL OR tried.unconfirmed AS was_unconfirmed,
           coalesce(s.failure, s.given_up)->>'class' AS failure_class, coalesce(s.failure, s.given_up)->>'detail' AS failure_detail
    FROM message_state AS s LEFT JOIN messages AS m ON m.id = s.message_id
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(t.detail->>'result' = 'failed'), false) AS failed,
               coalesce(bool_or(t.detail->>'result' = 'unconfirmed'), false) AS unconfirmed
        FROM timeline AS t WHERE t.message_id = s.message_id AND t.kind = 'attempt') AS tried
    ORDER BY s.message_id";
const TIMELINE: &str = "
    SELECT message_id, kind, detail->>'result' AS result, detail->>'status' AS status, detail->>'delivery_id' AS delivery_id
    FROM timeline ORDER BY message_id, id";
const WORK: &str = "SELECT kind, subject, state, reason FROM work ORDER BY id";
const DEAD_LETTERS: &str = "SELECT kind, subject, reason FROM dead_letters ORDER BY id";
const DELIVERIES: &str = "SELECT id, message_id, delivered_at IS NOT NULL AS was_delivered FROM callback_deliveries ORDER BY id";
const KEYS: &str = "SELECT tenant_id AS lab_id, key, message_id FROM idempotency_keys";

/// What the pipeline's database says, read as its owner.
pub(super) async fn read(url: &SecretString) -> Result<Rows, LedgerError> {
    read_all(url).await.map_err(LedgerError::Database)
}

async fn read_all(url: &SecretString) -> sqlx::Result<Rows> {
    let mut connection = PgConnection::connect(url.expose_secret()).await?;
    let mut tx = connection.begin_with(BEGIN).await?;
    sqlx::query(SEE_EVERYTHING).execute(&mut *tx).await?;
    let rows = Rows {
        messages: list(&mut tx, MESSAGES).await?,
        timeline: list(&mut tx, TIMELINE).await?,
        work: list(&mut tx, WORK).await?,
        dead_letters: list(&mut tx, DEAD_LETTERS).await?,
        deliveries: list(&mut tx, DELIVERIES).await?,
        keys: list(&mut tx, KEYS).await?,
    };
    tx.rollback().await?;
    connection.close().await?;
    Ok(rows)
}

async fn list<T>(connection: &mut PgConnection, query: &'static str) -> sqlx::Result<Vec<T>>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    sqlx::query_as(query).fetch_all(connection).await
}
