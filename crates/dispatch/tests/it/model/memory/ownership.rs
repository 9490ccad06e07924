use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::{PARTITIONS, WorkKind};
use storage::work::Ownership;
use uuid::Uuid;

use super::tables::{Answer, Blocked, Owner, Tables, Tx};

type Instant = DateTime<Utc>;

impl Tables {
    /// `order` is that in which free partitions are taken.
    pub(crate) fn hold_partitions(
        &mut self,
        tx: Tx,
        (kind, replica): (WorkKind, Uuid),
        (now, until): (Instant, Instant),
        order: &[i16],
    ) -> Answer<Ownership> {
        if self.dividing.is_some_and(|holder| holder != tx) {
            return Err(Blocked);
        }
        let lost = self.replicas.matching(tx, |_, seen| *seen <= now)?;
        if self.replicas.is_locked(tx, &replica) {
            return Err(Blocked);
        }
        let replicas: BTreeSet<Uuid> = self.replicas.rows(tx).map(|(id, _)| *id).collect();
        let came = !replicas.contains(&replica);
        let remaining = replicas
            .into_iter()
            .filter(|it| *it != replica && !lost.iter().any(|(gone, _)| gone == it));
        let replicas = remaining.count() + 1;
        let share = usize::try_from(PARTITIONS).unwrap().div_ceil(replicas);
        let is_mine = |owner: &Owner| owner.replica == replica && owner.lease_until > now;
        let mine = self.owners.matching(tx, |_, owner| is_mine(owner))?;
        if mine.iter().any(|(it, _)| self.is_shared(tx, *it)) {
            return Err(Blocked);
        }
        let (keep, free) = mine.split_at(share.min(mine.len()));
        let is_free = |partition: &i16| {
            let owner = self.owners.get(tx, partition);
            owner.is_none_or(|owner| owner.lease_until <= now)
        };
        let mut wanted: Vec<i16> = order.iter().copied().filter(is_free).collect();
        wanted.truncate(share.saturating_sub(keep.len()));
        let is_blocked = |it: &i16| self.owners.is_locked(tx, it) || self.is_shared(tx, *it);
        if wanted.iter().any(is_blocked) {
            return Err(Blocked);
        }
        self.dividing = Some(tx);
        for (gone, _) in &lost {
            self.replicas.put(tx, *gone, None);
        }
        self.replicas.put(tx, replica, Some(until));
        for (partition, _) in free {
            self.owners.put(tx, *partition, None);
        }
        let owner = Owner {
            replica,
            lease_until: until,
        };
        let kept: Vec<i16> = keep.iter().map(|(partition, _)| *partition).collect();
        for partition in kept.iter().chain(&wanted) {
            self.owners.put(tx, *partition, Some(owner.clone()));
        }
        if came || !lost.is_empty() || !free.is_empty() {
            self.signal_owners(tx, kind);
        }
        Ok(Ownership {
            kept,
            taken: wanted,
            replicas: u32::try_from(replicas).unwrap(),
        })
    }

    pub(crate) fn yield_partitions(&mut self, tx: Tx, kind: WorkKind, replica: Uuid) -> Answer<()> {
        let mine = self
            .owners
            .matching(tx, |_, owner| owner.replica == replica)?;
        if mine.iter().any(|(it, _)| self.is_shared(tx, *it))
            || self.replicas.is_locked(tx, &replica)
        {
            return Err(Blocked);
        }
        for (partition, _) in mine {
            self.owners.put(tx, partition, None);
        }
        self.replicas.put(tx, replica, None);
        self.signal_owners(tx, kind);
        Ok(())
    }
}
