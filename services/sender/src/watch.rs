use std::{sync::Arc, time::Duration};

use domain::{Clock, WorkKind};
use storage::{
    Database, decisions::count_decisions, messages::count_doubts, work::count_dead_letters,
};
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// Counts what waits for people, so that somebody is told of it.
pub(crate) async fn run(
    database: Database,
    clock: Arc<dyn Clock>,
    interval: Duration,
    stop: CancellationToken,
) {
    loop {
        if let Err(error) = measure(&database, &*clock).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not count what is in doubt"
            );
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

/// Counts once. Every replica does: the numbers are those of the database, and none is added to another's.
pub async fn measure(database: &Database, clock: &dyn Clock) -> storage::Result<()> {
    let mut connection = database.acquire().await?;
    let doubts = count_doubts(&mut connection).await?;
    let longest = doubts.parked_since.map(|since| clock.now() - since);
    let longest = longest.and_then(|longest| longest.to_std().ok());
    metrics::in_doubt(
        doubts.unconfirmed,
        doubts.parked,
        longest.unwrap_or_default(),
    );
    let letters = count_dead_letters(&mut connection).await?;
    for kind in WorkKind::ALL {
        let found = letters.iter().find(|(it, _)| it == kind);
        metrics::dead_letters(*kind, found.map_or(0, |(_, count)| *count));
    }
    for (decision, kind, count) in count_decisions(&mut connection).await? {
        metrics::decisions(decision, kind, count);
    }
    Ok(())
}
