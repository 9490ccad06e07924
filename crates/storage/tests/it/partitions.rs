use chrono::{Datelike, Days, Months, NaiveDate, TimeZone, Utc};
use domain::{CallbackDeliveryId, EventId, MessageId, ReportedStatus, StatusReport};
use sqlx::AssertSqlSafe;
use storage::{
    Error,
    callbacks::{Attempt, list_deliveries, record_attempts},
    events::list_events,
    inbound::insert_unmatched,
    messages::{IdempotencyKey, accept, find_message, find_state, list_sendable},
    partitions::{drop_partitions, ensure_partitions, forget},
};

use crate::support::{Stage, connect, message, now, seconds, stage};

const PARTITIONED: [&str; 4] = ["callback_deliveries", "events", "messages", "timeline"];

/// Names and bounds of a table's partitions.
async fn partitions(stage: &Stage, table: &str) -> Vec<(String, String)> {
    let query = format!(
        "select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound from pg_inherits i
         join pg_class c on c.oid = i.inhrelid where i.inhparent = '{table}'::regclass order by 1"
    );
    let rows = stage.test.rows(&query).await;
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(row, "name"), text(row, "bound")))
        .collect()
}

/// The first instants of so many months, from the one before this.
fn months(count: u32) -> Vec<chrono::DateTime<Utc>> {
    let today = now().date_naive();
    let first = NaiveDate::from_ymd_opt(today.year(), today.month(), 1).unwrap() - Months::new(1);
    (0..count)
        .map(|n| Utc.from_utc_datetime(&(first + Months::new(n)).and_hms_opt(0, 0, 0).unwrap()))
        .collect()
}

/// Whether months would come out wrong elsewhere depends on the day, so the setting is looked at as well.
#[tokio::test]
async fn months_are_those_of_utc_whoever_asks() {
    let stage = stage().await;
    let functions = stage
        .test
        .rows("select proconfig::text as settings from pg_proc where proname in ('ensure_partitions', 'drop_partitions')")
        .await;
    assert_eq!(functions.len(), 2);
    for function in functions {
        assert!(
            function["settings"]
                .as_str()
                .unwrap()
                .to_lowercase()
                .contains("timezone=utc"),
            "{function}"
        );
    }
}

#[tokio::test]
async fn partitions_are_made_month_by_month_without_gaps() {
    for zone in ["UTC", "America/New_York", "Pacific/Kiritimati"] {
        let stage = stage().await;
        let mut tx = stage.work().await;
        sqlx::query(AssertSqlSafe(format!("set time zone '{zone}'")))
            .execute(&mut *tx)
            .await
            .unwrap();
        let until = months(14)[13];
        ensure_partitions(&mut tx, until).await.unwrap();
        tx.commit().await.unwrap();
        for table in PARTITIONED {
            let expected: Vec<String> = months(14)
                .iter()
                .map(|month| format!("{table}_{}", month.format("y%Ym%m")))
                .collect();
            let made = partitions(&stage, table).await;
            let names: Vec<&str> = made.iter().map(|(name, _)| &**name).collect();
            assert_eq!(names, expected, "{zone}");
            for pair in made.windows(2) {
                let (_, until) = pair[0].1.split_once(" TO ").unwrap();
                let (from, _) = pair[1].1.split_once(" TO ").unwrap();
                assert_eq!(from, format!("FOR VALUES FROM {until}"), "{zone}");
            }
        }
    }
}

#[tokio::test]
async fn making_them_again_changes_nothing() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let until = now() + Days::new(200);
    assert!(ensure_partitions(&mut tx, until).await.unwrap() > 0);
    assert_eq!(ensure_partitions(&mut tx, until).await.unwrap(), 0);
}

#[tokio::test]
async fn callers_at_the_same_time_do_not_trip_over_each_other() {
    let stage = stage().await;
    let until = now() + Days::new(400);
    let make = async || {
        let mut tx = stage.work().await;
        let made = ensure_partitions(&mut tx, until).await.unwrap();
        tx.commit().await.unwrap();
        made
    };
    let (a, b, c) = tokio::join!(make(), make(), make());
    let counts = [a, b, c];
    assert_eq!(
        counts.iter().filter(|count| **count > 0).count(),
        1,
        "{counts:?}"
    );
}

#[tokio::test]
async fn a_row_lands_in_the_month_of_its_id() {
    let stage = stage().await;
    let lab = stage.lab().await;
    for month in &months(3)[..] {
        let mut message = message(lab);
        message.message.id = MessageId::new_at(*month);
        stage.accept(lab, &[message.clone()]).await;
        for table in ["messages", "timeline"] {
            let key = if table == "messages" {
                "id"
            } else {
                "message_id"
            };
            let partition = format!("{table}_{}", month.format("y%Ym%m"));
            let id = message.message.id.as_uuid();
            assert_eq!(
                stage
                    .count(&format!("{partition} where {key} = '{id}'"))
                    .await,
                1,
                "{partition}"
            );
        }
    }
}

/// However many months are kept, what is done with the rows of today costs the same.
#[tokio::test]
async fn what_is_looked_up_by_ids_looks_into_their_months_only() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let at = now();
    let attempts = [(); 2].map(|()| Attempt {
        id: CallbackDeliveryId::new_at(at),
        status: Some(200),
        error: None,
        delivered_at: Some(at),
    });
    let deliveries = attempts.each_ref().map(|attempt| attempt.id);
    list_sendable(&mut tx, &[(); 2].map(|()| MessageId::new_at(at)), at)
        .await
        .unwrap();
    list_events(&mut tx, &[(); 2].map(|()| EventId::new_at(at)))
        .await
        .unwrap();
    list_deliveries(&mut tx, &deliveries).await.unwrap();
    record_attempts(&mut tx, &attempts).await.unwrap();
    let looked_at: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_stat_xact_user_tables
         where relname ~ '_y[0-9]{4}m[0-9]{2}$' and coalesce(seq_scan, 0) + coalesce(idx_scan, 0) > 0 order by 1",
    )
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    let month = at.format("y%Ym%m");
    let expected = ["callback_deliveries", "events", "messages"].map(|it| format!("{it}_{month}"));
    assert_eq!(looked_at, expected);
}

/// Nobody gathers statistics that no plan goes by, and a callback finds room beside itself for its outcome.
#[tokio::test]
async fn partitions_are_kept_as_their_use_asks() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    ensure_partitions(&mut tx, now() + Days::new(100))
        .await
        .unwrap();
    let kept: Vec<(String, Vec<String>)> = sqlx::query_as(
        "select c.relname::text, coalesce(c.reloptions, '{}') from pg_class c
         where c.relkind = 'r' and c.relname ~ '^(callback_deliveries|events|messages|timeline)_y'",
    )
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    assert!(kept.len() >= 20, "{kept:?}");
    for (name, options) in kept {
        let has = |option: &str| options.iter().any(|it| it == option);
        assert!(has("autovacuum_analyze_threshold=2000000000"), "{name}");
        assert_eq!(
            has("fillfactor=70"),
            name.starts_with("callback_deliveries"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_row_of_a_month_without_partition_is_refused() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let mut message = message(lab);
    message.message.id = MessageId::new_at(now() + Days::new(400));
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let error = accept(&mut tx, &[message], now()).await.unwrap_err();
    assert!(!error.is_unavailable(), "{error:?}");
}

/// As old months would be: made by hand, because the function makes none that old.
async fn old_month(stage: &Stage, first: NaiveDate) {
    for table in PARTITIONED {
        let next = first + Months::new(1);
        stage
            .test
            .execute(&format!(
                "create table {table}_{} partition of {table} for values from (uuid_floor('{first} 00:00Z')) to (uuid_floor('{next} 00:00Z'))",
                first.format("y%Ym%m")
            ))
            .await;
    }
}

#[tokio::test]
async fn retention_drops_whole_months_and_what_belongs_to_them() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (january, february) = (
        NaiveDate::from_ymd_opt(2025, 1, 1).unwrap(),
        NaiveDate::from_ymd_opt(2025, 2, 1).unwrap(),
    );
    old_month(&stage, january).await;
    old_month(&stage, february).await;
    let mut ids = Vec::new();
    for day in [january + Days::new(30), february, february + Days::new(9)] {
        let mut message = message(lab);
        message.message.id = MessageId::new_at(day.and_hms_opt(12, 0, 0).unwrap().and_utc());
        ids.push(message.message.id);
        stage.accept(lab, &[message]).await;
    }
    let recent = stage.message(lab).await;

    let mut tx = stage.work().await;
    let middle = february.and_hms_opt(0, 0, 0).unwrap().and_utc() + Days::new(14);
    assert_eq!(forget(&mut tx, middle, now()).await.unwrap(), 1);
    assert_eq!(forget(&mut tx, middle, now()).await.unwrap(), 0);
    assert_eq!(drop_partitions(&mut tx, middle).await.unwrap(), 4);
    for (id, kept) in [
        (ids[0], false),
        (ids[1], true),
        (ids[2], true),
        (recent, true),
    ] {
        assert_eq!(
            find_message(&mut tx, id).await.unwrap().is_some(),
            kept,
            "{id}"
        );
        // A message keeps its state for as long as there is the message.
        assert_eq!(
            find_state(&mut tx, id).await.unwrap().is_some(),
            kept,
            "{id}"
        );
    }
    assert_eq!(drop_partitions(&mut tx, middle).await.unwrap(), 0);
    let march = february.and_hms_opt(0, 0, 0).unwrap().and_utc() + Months::new(1);
    sqlx::query("set time zone 'Pacific/Kiritimati'")
        .execute(&mut *tx)
        .await
        .unwrap();
    assert_eq!(
        drop_partitions(&mut tx, march - seconds(1)).await.unwrap(),
        0
    );
    assert_eq!(drop_partitions(&mut tx, march).await.unwrap(), 4);
}

#[tokio::test]
async fn keys_and_reports_that_match_nothing_are_forgotten_by_age() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let mut tx = stage.work().await;
    let report = StatusReport {
        status: ReportedStatus::Sent,
        at: now(),
        cause: None,
    };
    for (wamid, age) in [("old", 40), ("young", 20)] {
        let then = now() - Days::new(age);
        insert_unmatched(&mut tx, &[(wamid.to_owned(), report.clone())], then)
            .await
            .unwrap();
        let mut message = message(lab);
        message.idempotency_key = Some(IdempotencyKey {
            key: wamid.to_owned(),
            fingerprint: vec![1],
        });
        let mut gateway = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
        accept(&mut gateway, &[message], then).await.unwrap();
        gateway.commit().await.unwrap();
    }
    let before = now() - Days::new(32);
    assert_eq!(forget(&mut tx, before, now()).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(
        stage
            .count("unmatched_statuses where wamid = 'young'")
            .await,
        1
    );
    assert_eq!(stage.count("idempotency_keys where key = 'young'").await, 1);
    assert_eq!(stage.count("unmatched_statuses").await, 1);
    assert_eq!(stage.count("idempotency_keys").await, 1);
}

#[tokio::test]
async fn retention_of_less_than_a_month_is_refused() {
    let stage = stage().await;
    let worker = connect(&stage.test.worker_url);
    for days in [0, 1, 30] {
        let mut tx = worker.begin().await.unwrap();
        let before = now() - Days::new(days);
        let forgotten = forget(&mut tx, before, now()).await;
        assert!(matches!(forgotten, Err(Error::Refused(_))), "{days}");
        assert!(drop_partitions(&mut tx, before).await.is_err(), "{days}");
    }
    let mut tx = worker.begin().await.unwrap();
    assert!(
        drop_partitions(&mut tx, now() - Days::new(32))
            .await
            .is_ok()
    );
}
