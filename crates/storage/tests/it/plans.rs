//! Plans are made once, often while tables are empty, and kept: none may be one that is bad later (ADR 18).

use std::{fs, path::Path};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _};
use storage::Connection;

use crate::support::stage;

/// Of which there are few, or which only people read, and seldom: these may be read from end to end.
const SMALL: [&str; 10] = [
    "callback_endpoints",
    "dead_letters",
    "decisions",
    "partition_owners",
    "pauses",
    "replicas",
    "sender_numbers",
    "templates",
    "vendors",
    "webhook_apps",
];

/// Every statement of this crate, planned for tables in which nothing is, and for tables in which something was.
#[tokio::test]
async fn every_statement_goes_by_an_index_whatever_the_planner_believes() {
    let stage = stage().await;
    let mut owner = stage.owner.acquire().await.unwrap();
    let statements = statements();
    assert!(statements.len() > 80, "{} statements", statements.len());
    let mut complaints = Vec::new();
    for when in ["never filled", "emptied"] {
        for statement in &statements {
            for scan in scans(&mut owner, statement).await {
                let complaint = complaint(&scan);
                complaints
                    .extend(complaint.map(|it| format!("{when}, {it}: {statement}\n{scan:#}")));
            }
        }
        empty_again(&stage.test).await;
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// What is wrong with a scan of a table, or a join, if anything.
fn complaint(scan: &Value) -> Option<&'static str> {
    let of = |field: &str| scan[field].as_str().unwrap_or_default();
    let table = of("Relation Name");
    match of("Node Type") {
        "Seq Scan" if !SMALL.contains(&table) => Some("reads all of a table"),
        "Bitmap Heap Scan" => Some("reads all that fits, however little is asked for"),
        "Nested Loop" if !scan["Join Filter"].is_null() && scan["Inner"] == "Function Scan" => {
            Some("compares each row with each of what was given")
        }
        "Index Scan" | "Index Only Scan" if table == "work" && scan["Index Cond"].is_null() => {
            Some("goes through all of an index")
        }
        _ => None,
    }
}

/// As the macros have recorded them for builds without a database.
fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.sqlx");
    let files = fs::read_dir(folder).unwrap();
    let recorded = files.map(|file| {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let recorded: Value = serde_json::from_str(&text).unwrap();
        let parameters = recorded["describe"]["parameters"]["Left"].as_array();
        let types: Vec<String> = parameters.unwrap().iter().map(sql_type).collect();
        let types = if types.is_empty() {
            String::new()
        } else {
            format!(" ({})", types.join(", "))
        };
        format!("{types} AS {}", recorded["query"].as_str().unwrap())
    });
    recorded.collect()
}

fn sql_type(recorded: &Value) -> String {
    let name = recorded.as_str().unwrap();
    name.strip_suffix("Array")
        .map_or_else(|| name.to_owned(), |of| format!("{of}[]"))
}

/// The nodes of a statement's plan that read a table, and its nested loops with what they have inside.
async fn scans(connection: &mut Connection, statement: &str) -> Vec<Value> {
    let prepare = format!("PREPARE planned{statement}");
    sqlx::raw_sql(AssertSqlSafe(prepare))
        .execute(&mut *connection)
        .await
        .unwrap();
    let count =
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'planned'";
    let count: i32 = sqlx::query_scalar(count)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let nulls = vec!["NULL"; usize::try_from(count).unwrap()].join(", ");
    let arguments = if count > 0 {
        format!("({nulls})")
    } else {
        nulls
    };
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE planned{arguments}");
    let row = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    sqlx::raw_sql("DEALLOCATE planned")
        .execute(connection)
        .await
        .unwrap();
    let plan: Value = row.get(0);
    let mut scans = Vec::new();
    gather(&plan, &mut scans);
    scans
}

fn gather(node: &Value, scans: &mut Vec<Value>) {
    match node {
        Value::Array(nodes) => nodes.iter().for_each(|it| gather(it, scans)),
        Value::Object(fields) => {
            let is_scan = |it: &Value| it.as_str().is_some_and(|it| it.ends_with(" Scan"));
            let reads = fields.contains_key("Relation Name");
            let node = fields.get("Node Type");
            let joins = node.is_some_and(|it| it == "Nested Loop");
            if joins || reads && node.is_some_and(is_scan) {
                let mut alone = fields.clone();
                let below = alone.remove("Plans").unwrap_or_default();
                alone.insert("Inner".to_owned(), below[1]["Node Type"].clone());
                scans.push(Value::Object(alone));
            }
            fields.values().for_each(|it| gather(it, scans));
        }
        _ => {}
    }
}

/// The work of a day comes and goes, and the planner hears of it.
async fn empty_again(test: &testkit::TestDatabase) {
    for state in ["waiting", "released"] {
        let fill = format!(
            "insert into work (id, kind, flow, partition, lane, subject, state, lease_until, due_at, created_at)
             select gen_random_uuid(), 'send', gen_random_uuid(), 3, 1, gen_random_uuid(), '{state}',
                    case '{state}' when 'released' then now() end, now(), now() from generate_series(1, 2000)"
        );
        test.execute(&fill).await;
    }
    test.execute("delete from work").await;
    test.execute("vacuum (analyze) work").await;
}
