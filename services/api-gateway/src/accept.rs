use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{Clock, TenantId};
use storage::{
    Database, GroupCommit,
    messages::{self, Acceptance, NewMessage},
};

use crate::error::ApiError;

/// Most messages in one transaction.
const MAX_BATCH: usize = 128;
/// Longer than a transaction waits for its connection; shorter than a client waits for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the transaction came to.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    Answered(Acceptance),
    /// It failed before it was committed: nothing is left of it.
    NotStored,
}

/// Stores messages, those of concurrent requests in one transaction.
pub(crate) struct Acceptor(GroupCommit<Arc<NewMessage>, Verdict>);

impl Acceptor {
    /// The handle, and the loop that must be run for it.
    pub(crate) fn new(
        database: Database,
        clock: Arc<dyn Clock>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (commit, run) = GroupCommit::new(MAX_BATCH, move |batch| {
            commit(database.clone(), Arc::clone(&clock), batch)
        });
        (Self(commit), run)
    }

    /// Returns when the message is durable, or why it is not.
    pub(crate) async fn accept(&self, message: NewMessage) -> Result<Acceptance, ApiError> {
        match self.0.submit(Arc::new(message), PATIENCE).await {
            Ok(Verdict::Answered(acceptance)) => Ok(acceptance),
            Ok(Verdict::NotStored) => Err(ApiError::NotStored),
            Err(error) if error.is_unavailable() => Err(ApiError::InDoubt(error)),
            Err(error) => Err(ApiError::Storage(error)),
        }
    }
}

async fn commit(
    database: Database,
    clock: Arc<dyn Clock>,
    batch: Vec<Arc<NewMessage>>,
) -> storage::Result<Vec<Verdict>> {
    let labs: BTreeSet<TenantId> = batch.iter().map(|new| new.message.tenant_id).collect();
    let labs: Vec<TenantId> = labs.into_iter().collect();
    let stored = async {
        let mut tx = database.begin_for(&labs).await?;
        let answers = messages::accept(&mut tx, &batch, clock.now()).await?;
        Ok((tx, answers))
    };
    match stored.await {
        Ok((tx, answers)) => {
            database.commit(tx).await?;
            failpoints::reach("gateway.committed");
            Ok(answers.into_iter().map(Verdict::Answered).collect())
        }
        // A commit whose answer is lost may have happened; what fails before it has not.
        Err(error) if storage::Error::is_unavailable(&error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                messages = batch.len(),
                "a batch of messages was not stored"
            );
            Ok(vec![Verdict::NotStored; batch.len()])
        }
        Err(error) => Err(error),
    }
}
