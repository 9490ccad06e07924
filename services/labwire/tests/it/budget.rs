//! What a report costs the database and the broker, on all its way from the post to the last callback: a change must not
//! spend more unnoticed. The budget stands in docs/performance.md.

use domain::{FlowId, PARTITIONS};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use testkit::eventually;
use uuid::Uuid;

use crate::{
    lab::{Lab, NUMBER, Terms, WABA, pdf, phone},
    platform::{LIMIT, Platform},
};

/// What was spent, or may be.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Round trips to the database.
    statements: f64,
    /// Rows inserted, updated or deleted.
    rows: f64,
    wal_bytes: f64,
    /// Pages of tables and indexes looked at, from memory or from disk.
    pages: f64,
    /// Messages handed to the broker.
    hints: f64,
}

impl Cost {
    fn less(self, other: Self) -> Self {
        Self {
            statements: self.statements - other.statements,
            rows: self.rows - other.rows,
            wal_bytes: self.wal_bytes - other.wal_bytes,
            pages: self.pages - other.pages,
            hints: self.hints - other.hints,
        }
    }

    fn each(self, reports: f64) -> Self {
        Self {
            statements: self.statements / reports,
            rows: self.rows / reports,
            wal_bytes: self.wal_bytes / reports,
            pages: self.pages / reports,
            hints: self.hints / reports,
        }
    }

    fn is_within(self, budget: Self) -> bool {
        self.statements <= budget.statements
            && self.rows <= budget.rows
            && self.wal_bytes <= budget.wal_bytes
            && self.pages <= budget.pages
            && self.hints <= budget.hints
    }
}

/// One report alone: nothing shares its way with others.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_alone_keeps_within_its_budget() {
    let budget = Cost {
        statements: 119.0,
        rows: 48.0,
        wal_bytes: 20_000.0,
        pages: 500.0,
        hints: 3.3,
    };
    let meter = Meter::start().await;
    let lab = Lab::register(&meter.platform, Terms::default()).await;
    meter.send(&lab, 0..5, 1).await;
    let before = meter.read().await;
    meter.send(&lab, 5..25, 1).await;
    let spent = meter.read().await.less(before).each(20.0);
    assert!(spent.is_within(budget), "{spent:#?} of {budget:#?}");
}

/// Many at a time: what can be done together is.
#[tokio::test(flavor = "multi_thread")]
async fn reports_together_keep_within_their_budget() {
    let budget = Cost {
        statements: 20.0,
        rows: 54.0,
        wal_bytes: 21_000.0,
        pages: 700.0,
        hints: 0.7,
    };
    let meter = Meter::start().await;
    let terms = Terms {
        rate_per_second: 1000,
        burst: 1000,
        ..Terms::default()
    };
    let lab = Lab::register(&meter.platform, terms).await;
    meter.send(&lab, 0..5, 1).await;
    let before = meter.read().await;
    meter.send(&lab, 5..405, 400).await;
    let spent = meter.read().await.less(before).each(400.0);
    assert!(spent.is_within(budget), "{spent:#?} of {budget:#?}");
}

/// However many labs they come from: what a report needs to know of its lab is asked for many at a time.
#[tokio::test(flavor = "multi_thread")]
async fn reports_of_many_labs_keep_within_their_budget() {
    let budget = Cost {
        statements: 5.0,
        rows: 46.0,
        wal_bytes: 19_500.0,
        pages: 500.0,
        hints: 0.25,
    };
    let meter = Meter::start().await;
    let mut labs = Vec::new();
    for place in 0..50 {
        labs.push(Lab::register_another(&meter.platform, place).await);
    }
    let before = meter.read().await;
    meter.send_from(&labs, 0..1).await;
    let spent = meter.read().await.less(before).each(50.0);
    // Nothing is known of any lab, and few go together.
    let of_the_first = Cost {
        statements: 20.0,
        hints: 0.7,
        ..budget
    };
    assert!(
        spent.is_within(of_the_first),
        "{spent:#?} of {of_the_first:#?}"
    );
    let before = meter.read().await;
    meter.send_from(&labs, 1..5).await;
    let spent = meter.read().await.less(before).each(200.0);
    assert!(spent.is_within(budget), "{spent:#?} of {budget:#?}");
}

/// Patients' answers, and statuses of what others sent from the same number: of 200 in one webhook, each.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_unasked_keeps_within_its_budget() {
    let budget = Cost {
        statements: 2.0,
        rows: 5.0,
        wal_bytes: 2_500.0,
        pages: 60.0,
        hints: 0.1,
    };
    let meter = Meter::start().await;
    let lab = Lab::register(&meter.platform, Terms::default()).await;
    meter.send(&lab, 0..5, 1).await;
    let before = meter.read().await;
    meter.platform.simulator.emit(WABA, "messages", unasked());
    let stored = "select 1 from inbound_messages";
    eventually(LIMIT, async || {
        match meter.platform.database.rows(stored).await.len() {
            100 => Ok(()),
            others => Err(others),
        }
    })
    .await;
    meter.platform.until_idle().await;
    let spent = meter.read().await.less(before).each(200.0);
    assert!(spent.is_within(budget), "{spent:#?} of {budget:#?}");
}

/// Of each kind a hundred.
fn unasked() -> serde_json::Value {
    let (messages, statuses): (Vec<_>, Vec<_>) = (0..100)
        .map(|number| {
            let message = json!({
                "from": format!("9197{number:08}"), "id": format!("wamid.in.{number}"), "timestamp": "1790000000",
                "type": "text", "text": { "body": "Thank you." },
            });
            let status = json!({
                "id": format!("wamid.of-others.{number}"), "status": "sent", "timestamp": "1790000000",
                "recipient_id": format!("9198{number:08}"),
            });
            (message, status)
        })
        .unzip();
    json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "918047182200", "phone_number_id": NUMBER },
        "messages": messages, "statuses": statuses,
    })
}

/// What waits for others costs a report nothing, even when every plan was made while the tables were empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_beside_a_backlog_looks_at_no_more_than_alone() {
    let meter = Meter::start().await;
    let lab = Lab::register(&meter.platform, Terms::default()).await;
    // The planner knows the table as it is when nothing is left to do, and nobody tells it otherwise.
    let database = &meter.platform.database;
    let blind = "alter table work set (autovacuum_enabled = off)";
    database.execute(blind).await;
    meter.send(&lab, 0..5, 1).await;
    database.execute("vacuum (analyze) work").await;
    meter.send(&lab, 5..15, 1).await;
    let before = meter.read().await;
    meter.send(&lab, 15..25, 1).await;
    let alone = meter.read().await.less(before).each(10.0);

    add_backlog(&meter.platform).await;
    let before = meter.read().await;
    meter.send(&lab, 25..35, 1).await;
    let beside = meter.read().await.less(before).each(10.0);
    // Its indexes are deeper.
    assert!(
        beside.pages <= 2.0 * alone.pages,
        "{beside:#?} beside a backlog, {alone:#?} alone"
    );
}

/// In every partition 2,000 messages that wait, and will do so to the end of the test.
async fn add_backlog(platform: &Platform) {
    for partition in 0..PARTITIONS {
        let flow = std::iter::repeat_with(Uuid::new_v4)
            .find(|id| FlowId::from_uuid(*id).partition() == partition);
        let add = format!(
            "insert into work (id, kind, flow, partition, lane, subject, state, reason, due_at, created_at)
             select gen_random_uuid(), 'send', '{}', {partition}, 1, gen_random_uuid(), 'waiting', 'backlog', now() + interval '1 hour', now()
             from generate_series(1, 2000)",
            flow.unwrap_or_default()
        );
        platform.database.execute(&add).await;
    }
}

/// A platform whose statements and broker messages are counted.
struct Meter {
    platform: Platform,
    metrics: PrometheusHandle,
}

impl Meter {
    async fn start() -> Self {
        let metrics = PrometheusBuilder::new().install_recorder().unwrap();
        let database = testkit::database().await;
        let count = "do $$ begin execute format('alter database %I set pg_stat_statements.track = top', current_database()); end $$";
        database.execute(count).await;
        let platform = Platform::in_one_process_on(database).await;
        Self { platform, metrics }
    }

    /// Sends a report to each of these patients, so many at a time, and waits until nothing is left to do of them.
    async fn send(&self, lab: &Lab<'_>, patients: std::ops::Range<usize>, at_a_time: usize) {
        let patients: Vec<usize> = patients.collect();
        for group in patients.chunks(at_a_time) {
            let posts = group
                .iter()
                .map(|patient| async move { lab.post(&phone(*patient), &pdf(*patient)).await });
            for id in futures::future::join_all(posts).await {
                lab.until_told(&id, "read").await;
            }
            self.platform.until_idle().await;
        }
    }

    /// Sends a report from each lab to each of these patients, all at once, and waits until nothing is left to do of them.
    async fn send_from(&self, labs: &[Lab<'_>], patients: std::ops::Range<usize>) {
        let posts = labs.iter().flat_map(|lab| {
            let patients = patients.clone();
            patients.map(move |patient| async move {
                let id = lab.post(&phone(patient), &pdf(patient)).await;
                lab.until_told(&id, "read").await;
            })
        });
        futures::future::join_all(posts).await;
        self.platform.until_idle().await;
    }

    /// Without the test's own statements.
    async fn read(&self) -> Cost {
        let query = r"
            select coalesce(sum(calls), 0)::float8 as statements, coalesce(sum(wal_bytes), 0)::float8 as wal_bytes,
                   coalesce(sum(shared_blks_hit + shared_blks_read), 0)::float8 as pages,
                   coalesce(sum(rows) filter (where query ~ '(INSERT INTO|UPDATE|DELETE FROM) '), 0)::float8 as rows
            from statistics.pg_stat_statements as s join pg_database as d on d.oid = s.dbid
            where d.datname = current_database() and query !~ 'to_jsonb\(found\)'";
        let read = self.platform.database.rows(query).await;
        let number = |name: &str| read[0][name].as_f64().unwrap();
        Cost {
            statements: number("statements"),
            rows: number("rows"),
            wal_bytes: number("wal_bytes"),
            pages: number("pages"),
            hints: self.hints(),
        }
    }

    fn hints(&self) -> f64 {
        let rendered = self.metrics.render();
        let published = rendered
            .lines()
            .filter(|line| line.starts_with("labwire_queue_published_total"));
        published
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}
