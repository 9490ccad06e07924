use std::{sync::Arc, time::Duration};

use convergence::{Entry, Learned, learn};
use domain::{Clock, MessageState};
use serde_json::json;
use storage::{Database, messages::list_expired};
use tokio_util::sync::CancellationToken;

/// How many messages one transaction expires at most.
const BATCH: i64 = 500;

/// Ends the waiting of messages that are past their lifetime: a report that nobody could send must not arrive weeks late,
/// and its fate must be known.
pub(crate) async fn run(
    database: Database,
    clock: Arc<dyn Clock>,
    interval: Duration,
    stop: CancellationToken,
) {
    loop {
        match expire(&database, &*clock).await {
            Ok(BATCH..) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not look for expired messages"
            ),
        }
        if stop
            .run_until_cancelled(tokio::time::sleep(interval))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Expires a batch of them; returns how many.
pub async fn expire(database: &Database, clock: &dyn Clock) -> storage::Result<i64> {
    let mut tx = database.begin().await?;
    let now = clock.now();
    let expired = list_expired(&mut tx, now, BATCH).await?;
    let count = i64::try_from(expired.len()).unwrap_or(BATCH);
    let learned = expired.into_iter().map(|id| Learned {
        base: Some(MessageState::Expired),
        entries: vec![Entry {
            at: now,
            kind: "expired",
            detail: json!({}),
        }],
        ..Learned::about(id)
    });
    learn(&mut tx, learned.collect(), now).await?;
    tx.commit().await?;
    Ok(count)
}
