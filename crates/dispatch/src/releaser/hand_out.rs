//! What may go: to the consumer of this very process while it has room, beyond that to whoever is free, by the broker.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::WorkId;
use storage::work::Candidate;

use super::Releaser;
use crate::{Handler, Statements as _, hints::publish_hints, metrics, store::Connection};

impl<H: Handler> Releaser<H> {
    pub(super) async fn hand_out(
        &mut self,
        connection: &mut Connection<H>,
        mut chosen: Vec<Candidate>,
    ) -> storage::Result<()> {
        let beyond = chosen.split_off(self.intake.room().min(chosen.len()));
        if !chosen.is_empty() {
            self.keep(connection, chosen).await?;
        }
        if !beyond.is_empty() {
            self.release(connection, beyond).await?;
        }
        Ok(())
    }

    /// Claims at once: no hint, no second statement, and no broker.
    async fn keep(
        &mut self,
        connection: &mut Connection<H>,
        chosen: Vec<Candidate>,
    ) -> storage::Result<()> {
        let ids = self.take_permits(&chosen);
        let now = self.deps.clock.now();
        let lease_until = now + self.settings.claim_lease;
        let claims = connection
            .claim_due(self.replica, &ids, now, lease_until)
            .await?;
        let kept = claims.iter().map(|it| it.id).collect();
        self.put_back_permits(&chosen, &kept);
        metrics::kept(self.kind, claims.len());
        failpoints::reach("keep.committed");
        self.intake.take(claims);
        Ok(())
    }

    /// Releases and publishes.
    async fn release(
        &mut self,
        connection: &mut Connection<H>,
        chosen: Vec<Candidate>,
    ) -> storage::Result<()> {
        let ids = self.take_permits(&chosen);
        let now = self.deps.clock.now();
        let lease_until = now + self.settings.release_lease;
        let released = connection
            .release(self.replica, &ids, now, lease_until)
            .await?;
        let released = released.into_iter().collect();
        self.put_back_permits(&chosen, &released);
        let hints = chosen.iter().filter(|it| released.contains(&it.id));
        let hints: Vec<(WorkId, i32)> = hints.map(|it| (it.id, it.attempt)).collect();
        metrics::released(self.kind, hints.len());
        failpoints::reach("release.committed");
        self.publish(connection, &hints, now).await?;
        failpoints::reach("release.published");
        Ok(())
    }

    async fn publish(
        &self,
        connection: &mut Connection<H>,
        hints: &[(WorkId, i32)],
        now: DateTime<Utc>,
    ) -> storage::Result<()> {
        let failed =
            publish_hints(&self.deps.broker, self.kind, hints, self.settings.hint_size).await;
        if !failed.is_empty() {
            metrics::publish_failed(self.kind, failed.len());
            let again: Vec<_> = failed.into_iter().map(|id| (id, now)).collect();
            connection
                .postpone(&again, "waiting for the message broker")
                .await?;
        }
        Ok(())
    }

    fn take_permits(&mut self, chosen: &[Candidate]) -> Vec<WorkId> {
        for candidate in chosen {
            self.pacing.take(candidate.flow);
        }
        chosen.iter().map(|it| it.id).collect()
    }

    fn put_back_permits(&mut self, chosen: &[Candidate], gone: &HashSet<WorkId>) {
        for candidate in chosen.iter().filter(|it| !gone.contains(&it.id)) {
            self.pacing.put_back(candidate.flow);
        }
    }
}
