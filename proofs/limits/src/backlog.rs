use anyhow::{Context as _, ensure};
use stage::{Platform, Report};

const REPORT: u8 = 1;
const BULK: u8 = 2;

/// Accepted messages of several labs, from which backlogs are made: what many posts would leave behind, in seconds.
/// All of a backlog go to one patient, so no limit to a recipient may be set.
pub(crate) struct Originals {
    /// Columns of work, but for those that are generated.
    columns: String,
}

impl Originals {
    /// Posts one report of each lab while no sender runs, and remembers all that is written of it.
    pub(crate) async fn take(platform: &Platform, reports: Vec<Report>) -> anyhow::Result<Self> {
        for report in reports {
            post(platform, &report).await?;
        }
        let remember = "CREATE SCHEMA originals;
             CREATE TABLE originals.messages AS SELECT * FROM messages;
             CREATE TABLE originals.message_state AS SELECT * FROM message_state;
             CREATE TABLE originals.work AS SELECT * FROM work WHERE kind = 'send'";
        platform.servers.sql(remember).await?;
        let columns = "SELECT string_agg(attname, ', ') FROM pg_attribute
             WHERE attrelid = 'work'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''";
        let columns = platform.servers.sql(columns).await?;
        Ok(Self {
            columns: columns.trim().to_owned(),
        })
    }

    pub(crate) async fn add_reports(
        &self,
        platform: &Platform,
        lab: usize,
        count: u32,
    ) -> anyhow::Result<()> {
        self.add(platform, lab, count, REPORT).await
    }

    pub(crate) async fn add_bulk(
        &self,
        platform: &Platform,
        lab: usize,
        count: u32,
    ) -> anyhow::Result<()> {
        self.add(platform, lab, count, BULK).await
    }

    async fn add(
        &self,
        platform: &Platform,
        lab: usize,
        count: u32,
        lane: u8,
    ) -> anyhow::Result<()> {
        let columns = &self.columns;
        let tenant = tenant_of(platform, lab)?;
        // Ids of this instant and random: they fall into the partitions that are there.
        let id = "(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3) \
         || '8' || substr(md5(random()::text || n), 1, 15))::uuid";
        let copy = format!(
        "CREATE TEMPORARY TABLE copies AS SELECT {id} AS message, {id} AS work FROM generate_series(1, {count}) AS n;
         INSERT INTO messages SELECT (jsonb_populate_record(m, jsonb_build_object('id', c.message, 'lane', {lane}))).*
             FROM originals.messages AS m, copies AS c WHERE m.tenant_id = '{tenant}';
         INSERT INTO message_state SELECT (jsonb_populate_record(s, jsonb_build_object('message_id', c.message))).*
             FROM originals.message_state AS s, copies AS c WHERE s.tenant_id = '{tenant}';
         INSERT INTO work ({columns}) SELECT {columns} FROM (
             SELECT (jsonb_populate_record(w, jsonb_build_object('id', c.work, 'subject', c.message, 'lane', {lane}))).*
             FROM originals.work AS w, copies AS c WHERE w.tenant_id = '{tenant}') AS copy;"
    );
        platform.servers.sql(&copy).await.map(drop)
    }
}

/// Takes back what was not sent of a lab's backlog.
pub(crate) async fn clear(platform: &Platform, lab: usize) -> anyhow::Result<()> {
    let tenant = tenant_of(platform, lab)?;
    let clear = format!("DELETE FROM work WHERE tenant_id = '{tenant}' AND state = 'waiting'");
    platform.servers.sql(&clear).await.map(drop)
}

/// Posts one report; its id.
pub(crate) async fn post(platform: &Platform, report: &Report) -> anyhow::Result<String> {
    let id = platform.lims.post(report).await;
    id.context("a report was not accepted")
}

/// The bare id, as the database has it.
fn tenant_of(platform: &Platform, lab: usize) -> anyhow::Result<&str> {
    let id = platform.lims.lab_id(lab);
    let bare = id.rsplit('_').next().unwrap_or_default();
    ensure!(
        !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_hexdigit()),
        "not an id: {id}"
    );
    Ok(bare)
}
