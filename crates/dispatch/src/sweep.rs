use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::WorkKind;
use storage::work::Claim;

use crate::{Statements as _, WorkStore, metrics};

/// Looks after leases that are over: hints that were lost, consumers that died.
pub(crate) async fn sweep<S: WorkStore>(
    database: &S,
    kind: WorkKind,
    partitions: &[i16],
    now: DateTime<Utc>,
    claim_lease: Duration,
) -> storage::Result<Vec<Claim>> {
    let mut connection = database.acquire().await?;
    connection.reclaim_released(kind, partitions, now).await?;
    connection.probe_held(now).await?;
    let abandoned = connection
        .claim_abandoned(kind, partitions, now, now + claim_lease)
        .await?;
    metrics::abandoned(kind, abandoned.len());
    Ok(abandoned)
}
