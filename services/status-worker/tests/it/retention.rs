use std::time::Duration;

use status_worker::{RetentionConfig, maintain};

use crate::support::{Stage, stage};

const DAY: Duration = Duration::from_hours(24);

fn keep(keep: Duration) -> RetentionConfig {
    RetentionConfig {
        keep,
        interval: DAY,
    }
}

async fn partitions(stage: &Stage) -> usize {
    stage
        .count("pg_inherits WHERE inhparent = 'messages'::regclass")
        .await
}

#[tokio::test]
async fn partitions_are_made_ahead_and_old_ones_dropped() {
    let stage = stage().await;
    stage
        .test
        .execute("CREATE TABLE messages_y2020m01 PARTITION OF messages FOR VALUES FROM (uuid_floor('2020-01-01Z')) TO (uuid_floor('2020-02-01Z'))")
        .await;
    let before = partitions(&stage).await;
    stage.clock.advance(62 * DAY);

    maintain(&stage.worker, &*stage.clock, &keep(365 * DAY))
        .await
        .unwrap();

    assert!(partitions(&stage).await > before, "months ahead, less one");
    assert_eq!(
        stage
            .count("pg_class WHERE relname = 'messages_y2020m01'")
            .await,
        0
    );
}

#[tokio::test]
async fn keeping_less_than_a_month_is_refused_and_loses_nothing() {
    let stage = stage().await;
    let lab = stage.lab().await;
    stage.message(&lab).await;
    let before = partitions(&stage).await;
    stage.clock.advance(62 * DAY);
    let keep = keep(62 * DAY);

    let refused = maintain(&stage.worker, &*stage.clock, &keep).await;

    assert!(refused.is_err());
    assert!(
        partitions(&stage).await > before,
        "what is needed ahead is made"
    );
    assert_eq!(stage.count("messages").await, 1);
    assert_eq!(stage.count("message_state").await, 1);
}
