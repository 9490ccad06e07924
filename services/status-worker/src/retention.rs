use std::{sync::Arc, time::Duration};

use domain::Clock;
use storage::{Database, partitions, work};
use tokio_util::sync::CancellationToken;

use crate::RetentionConfig;

/// How far ahead partitions exist: a worker may be down for this long before anything is refused.
const AHEAD: Duration = Duration::from_hours(62 * 24);

/// How long it is remembered that something was in trouble, should it get into trouble again.
const PAUSES_KEPT: Duration = Duration::from_hours(24);

/// Makes partitions ahead and drops old ones; any number of replicas may.
pub(crate) async fn run(
    database: Database,
    clock: Arc<dyn Clock>,
    config: RetentionConfig,
    stop: CancellationToken,
) {
    loop {
        if let Err(error) = maintain(&database, &*clock, &config).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not look after the partitions"
            );
        }
        if stop
            .run_until_cancelled(tokio::time::sleep(config.interval))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Makes partitions ahead, then drops what is older than `keep`.
pub async fn maintain(
    database: &Database,
    clock: &dyn Clock,
    config: &RetentionConfig,
) -> storage::Result<()> {
    let mut connection = database.acquire().await?;
    let now = clock.now();
    let before = now - config.keep;
    let created = partitions::ensure_partitions(&mut connection, now + AHEAD).await?;
    partitions::drop_closed_windows(&mut connection, now).await?;
    work::forget_pauses(&mut connection, now - PAUSES_KEPT).await?;
    // Each batch commits alone: nobody waits for a month to be deleted.
    while partitions::forget(&mut connection, before, now).await? > 0 {}
    let dropped = partitions::drop_partitions(&mut connection, before).await?;
    if created > 0 || dropped > 0 {
        tracing::info!(created, dropped, "partitions changed");
    }
    Ok(())
}
