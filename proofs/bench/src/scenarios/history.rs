use anyhow::Context as _;
use stage::{Platform, Servers};

/// The database as all else uses it, with no more history than that left.
pub(crate) const SHORT: &str = "labwire";
/// A copy of it whose history grows.
pub(crate) const GROWN: &str = "grown";
/// Messages that one statement adds.
const AT_ONCE: u64 = 250_000;

/// Makes the copy; nobody may use the original meanwhile.
pub(crate) async fn copy(servers: &Servers) -> anyhow::Result<()> {
    let copy = format!("CREATE DATABASE {GROWN} TEMPLATE {SHORT}");
    servers.sql(&copy).await?;
    let count = format!("ALTER DATABASE {GROWN} SET pg_stat_statements.track = top");
    servers.sql(&count).await?;
    Ok(())
}

/// Adds messages that went all the way some time ago, so that there are so many of all labs' in the history: what years of
/// posts would leave behind, in minutes.
pub(crate) async fn grow(platform: &Platform, (from, to): (u64, u64)) -> anyhow::Result<()> {
    let servers = &platform.servers;
    let original = "DROP SCHEMA IF EXISTS originals CASCADE; CREATE SCHEMA originals;
         CREATE TABLE originals.messages AS SELECT m.* FROM messages AS m JOIN message_state AS s ON s.message_id = m.id
             WHERE s.state = 'read' LIMIT 1;
         CREATE TABLE originals.message_state AS SELECT s.* FROM message_state AS s JOIN originals.messages AS m ON m.id = s.message_id;
         CREATE TABLE originals.labs AS SELECT row_number() OVER () AS place, id, tenant_id FROM sender_numbers;
         SELECT count(*) FROM originals.messages";
    let found = servers.sql(original).await?;
    anyhow::ensure!(found.trim().ends_with('1'), "no message was read so far");
    let mut left = to.checked_sub(from).context("a history only grows")?;
    while left > 0 {
        let one = left.min(AT_ONCE);
        let other = (left - one).min(AT_ONCE);
        left -= one + other;
        // One for each processor.
        let (one, other) = (copies(one), copies(other));
        tokio::try_join!(servers.sql(&one), servers.sql(&other))?;
    }
    // As years would have left them.
    servers
        .sql("VACUUM (ANALYZE) messages, message_state")
        .await?;
    Ok(())
}

/// Ids of the last hours: they fall into the partitions that are there.
fn copies(count: u64) -> String {
    format!(
        "CREATE TEMPORARY TABLE copies AS
             SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint - n), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
                     || '8' || substr(md5(random()::text || n), 1, 15))::uuid AS id,
                    1 + n % (SELECT count(*) FROM originals.labs) AS place
             FROM generate_series(1, {count}) AS n;
         INSERT INTO messages (id, tenant_id, sender_number_id, lane, recipient, recipient_hash, content, expires_at, created_at)
             SELECT c.id, l.tenant_id, l.id, m.lane, m.recipient, m.recipient_hash, m.content, m.expires_at, m.created_at
             FROM copies AS c JOIN originals.labs AS l USING (place), originals.messages AS m;
         INSERT INTO message_state (message_id, tenant_id, state, base, wamid, attempts, sent_at, delivered_at, read_at, updated_at)
             SELECT c.id, l.tenant_id, s.state, s.base, s.wamid || c.id, s.attempts, s.sent_at, s.delivered_at, s.read_at, s.updated_at
             FROM copies AS c JOIN originals.labs AS l USING (place), originals.message_state AS s"
    )
}
