//! What each statement of the engine means. That PostgreSQL means the same is what `likeness` checks.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use domain::{Losses, WorkId};
use storage::work::{
    ABANDONED_AT_ONCE, Candidate, Claim, Disposition, Finished, FlowPermits, InFlight, NewWork,
    WaitingFlow,
};
use uuid::Uuid;

use super::tables::{Answer, Blocked, State, Tables, Tx, Work};

type Instant = DateTime<Utc>;

impl Tables {
    pub(crate) fn insert(&mut self, tx: Tx, work: &[NewWork]) {
        for new in work {
            let subjects = self.work.rows(tx);
            let is_new = !subjects
                .into_iter()
                .any(|(id, it)| *id == new.id || it.subject == new.subject);
            if is_new {
                self.work.put(tx, new.id, Some(Work::new(new)));
            }
            self.signal_work(tx, new.kind, new.flow.partition());
        }
    }

    pub(crate) fn list_waiting_flows(&self, tx: Tx, partitions: &[i16]) -> Vec<WaitingFlow> {
        let mut first: BTreeMap<_, Instant> = BTreeMap::new();
        for (_, work) in self.of(tx, partitions) {
            if work.state == State::Waiting {
                let due = first.entry((work.flow, work.lane)).or_insert(work.due_at);
                *due = work.due_at.min(*due);
            }
        }
        let flows = first.into_iter();
        flows
            .map(|((flow, lane), first_due_at)| WaitingFlow {
                flow,
                lane,
                first_due_at,
            })
            .collect()
    }

    pub(crate) fn list_in_flight(&self, tx: Tx, partitions: &[i16]) -> Vec<InFlight> {
        let mut flows = BTreeMap::new();
        for (_, work) in self.of(tx, partitions).filter(|(_, work)| work.is_out()) {
            let flow = flows
                .entry(work.flow)
                .or_insert_with(|| InFlight::none(work.flow));
            flow.out += 1;
            if work.state == State::Released || !work.begun {
                flow.unused += 1;
                flow.unused_pairs.extend(work.pair.clone());
            }
        }
        flows.into_values().collect()
    }

    pub(crate) fn count_released(&self, tx: Tx, partitions: &[i16]) -> u32 {
        let released = self.of(tx, partitions);
        let released = released.filter(|(_, work)| work.state == State::Released);
        u32::try_from(released.count()).unwrap_or(u32::MAX)
    }

    pub(crate) fn pick_due(&self, tx: Tx, flows: &[FlowPermits], now: Instant) -> Vec<Candidate> {
        let mut picked = Vec::new();
        for wanted in flows {
            let due = self.work.rows(tx).filter(|(_, work)| {
                work.flow == wanted.flow && work.state == State::Waiting && work.due_at <= now
            });
            let mut due: Vec<(&WorkId, &Work)> = due.collect();
            due.sort_by_key(|(id, work)| (work.lane, work.due_at, **id));
            due.truncate(wanted.permits as usize);
            picked.extend(due.into_iter().map(|(id, work)| Candidate {
                id: *id,
                flow: work.flow,
                attempt: work.attempt,
                pair: work.pair.clone(),
                traceparent: work.traceparent.clone(),
            }));
        }
        picked
    }

    pub(crate) fn postpone(&mut self, tx: Tx, items: &[(WorkId, Instant)]) -> Answer<()> {
        let concerned = self.work.matching(tx, |id, work| {
            items.iter().any(|(it, _)| it == id)
                && matches!(work.state, State::Waiting | State::Released)
        })?;
        for (id, mut work) in concerned {
            if let Some((_, due_at)) = items.iter().find(|(it, _)| *it == id) {
                work.due_at = *due_at;
            }
            work.state = State::Waiting;
            work.lease_until = None;
            self.work.put(tx, id, Some(work));
        }
        Ok(())
    }

    pub(crate) fn release(
        &mut self,
        tx: Tx,
        owner: Uuid,
        ids: &[WorkId],
        (now, lease_until): (Instant, Instant),
    ) -> Answer<Vec<WorkId>> {
        let free = self.of_owner(tx, owner, ids, now)?;
        let mut released = Vec::with_capacity(free.len());
        for (id, mut work) in free {
            work.state = State::Released;
            work.lease_until = Some(lease_until);
            self.work.put(tx, id, Some(work));
            released.push(id);
        }
        Ok(released)
    }

    pub(crate) fn claim_due(
        &mut self,
        tx: Tx,
        owner: Uuid,
        ids: &[WorkId],
        (now, lease_until): (Instant, Instant),
    ) -> Answer<Vec<Claim>> {
        let free = self.of_owner(tx, owner, ids, now)?;
        Ok(self.claim_all(tx, free, lease_until))
    }

    /// What waits and may be handed out by the owner of its partition, which stays so until this is committed.
    fn of_owner(
        &mut self,
        tx: Tx,
        owner: Uuid,
        ids: &[WorkId],
        now: Instant,
    ) -> Answer<Vec<(WorkId, Work)>> {
        let owns = |it: &i16| {
            let found = self.owners.get(tx, it);
            found.is_some_and(|found| found.replica == owner && found.lease_until > now)
        };
        let free = self.work.unlocked(tx, |id, work| {
            ids.contains(id) && work.state == State::Waiting && owns(&work.flow.partition())
        });
        let partitions: BTreeSet<i16> =
            free.iter().map(|(_, work)| work.flow.partition()).collect();
        if partitions.iter().any(|it| self.owners.is_locked(tx, it)) {
            return Err(Blocked);
        }
        for partition in partitions {
            self.share(tx, partition);
        }
        Ok(free)
    }

    pub(crate) fn reclaim_released(&mut self, tx: Tx, partitions: &[i16], now: Instant) -> u64 {
        let over = self.work.unlocked(tx, |_, work| {
            partitions.contains(&work.flow.partition())
                && work.state == State::Released
                && work.is_over(now)
        });
        let count = over.len();
        for (id, mut work) in over {
            work.state = State::Waiting;
            work.lease_until = None;
            self.work.put(tx, id, Some(work));
        }
        count as u64
    }

    pub(crate) fn claim_abandoned(
        &mut self,
        tx: Tx,
        partitions: &[i16],
        (now, lease_until): (Instant, Instant),
    ) -> Vec<Claim> {
        let mut over = self.work.unlocked(tx, |_, work| {
            partitions.contains(&work.flow.partition())
                && work.state == State::Claimed
                && work.is_over(now)
        });
        over.truncate(ABANDONED_AT_ONCE);
        let mut claims = Vec::with_capacity(over.len());
        for (id, mut work) in over {
            work.attempt += 1;
            work.lease_until = Some(lease_until);
            let claim = work.claim(id);
            claims.push(Claim {
                losses: Losses::of(claim.losses.count() + 1),
                ..claim
            });
            self.work.put(tx, id, Some(work));
        }
        claims
    }

    pub(crate) fn claim(
        &mut self,
        tx: Tx,
        items: &[(WorkId, i32)],
        (now, lease_until): (Instant, Instant),
    ) -> Vec<Claim> {
        let free = self.work.unlocked(tx, |id, work| {
            items.contains(&(*id, work.attempt))
                && work.state == State::Released
                && !work.is_over(now)
        });
        self.claim_all(tx, free, lease_until)
    }

    fn claim_all(&mut self, tx: Tx, free: Vec<(WorkId, Work)>, lease_until: Instant) -> Vec<Claim> {
        let mut claims = Vec::with_capacity(free.len());
        for (id, mut work) in free {
            work.state = State::Claimed;
            work.attempt += 1;
            work.begun = false;
            work.lease_until = Some(lease_until);
            claims.push(work.claim(id));
            self.work.put(tx, id, Some(work));
        }
        claims
    }

    pub(crate) fn begin_claims(
        &mut self,
        tx: Tx,
        claims: &[(WorkId, i32)],
        lease_until: Instant,
    ) -> Answer<Vec<(WorkId, i32)>> {
        let ours = self.claimed(tx, claims)?;
        let mut begun = Vec::with_capacity(ours.len());
        for (id, mut work) in ours.into_iter().filter(|(_, work)| !work.begun) {
            work.begun = true;
            work.lease_until = Some(lease_until);
            begun.push((id, work.attempt));
            self.work.put(tx, id, Some(work));
        }
        Ok(begun)
    }

    pub(crate) fn list_begun(
        &mut self,
        tx: Tx,
        claims: &[(WorkId, i32)],
    ) -> Answer<HashSet<WorkId>> {
        let ours = self.claimed(tx, claims)?;
        for (id, work) in &ours {
            self.work.put(tx, *id, Some(work.clone()));
        }
        let begun = ours.into_iter().filter(|(_, work)| work.begun);
        Ok(begun.map(|(id, _)| id).collect())
    }

    pub(crate) fn finish(&mut self, tx: Tx, finished: &[Finished]) -> Answer<HashSet<WorkId>> {
        let keys: Vec<(WorkId, i32)> = finished.iter().map(|it| (it.id, it.attempt)).collect();
        let ours = self.claimed(tx, &keys)?;
        let mut ended = HashSet::new();
        for (id, mut work) in ours {
            let mut of_claim = finished
                .iter()
                .filter(|it| it.id == id && it.attempt == work.attempt);
            let Some(outcome) = of_claim.next() else {
                continue;
            };
            ended.insert(id);
            let partition = work.flow.partition();
            if matches!(outcome.disposition, Disposition::Retry { .. }) {
                self.signal_work(tx, work.kind, partition);
            } else {
                self.signal_room(tx, work.kind, partition);
            }
            work.lease_until = None;
            let left = match &outcome.disposition {
                Disposition::Done => None,
                Disposition::Retry { due_at, failed, .. } => {
                    work.state = State::Waiting;
                    work.due_at = *due_at;
                    work.failures += i32::from(*failed);
                    work.losses = outcome.losses;
                    Some(work)
                }
                Disposition::Hold { scope, .. } => {
                    work.state = State::Held(scope.clone());
                    Some(work)
                }
                Disposition::Dead { reason } => {
                    self.dead_letters.put(tx, id, Some(reason.clone()));
                    None
                }
            };
            self.work.put(tx, id, left);
        }
        Ok(ended)
    }

    /// The claims that are still the caller's.
    fn claimed(&self, tx: Tx, claims: &[(WorkId, i32)]) -> Answer<Vec<(WorkId, Work)>> {
        self.work.matching(tx, |id, work| {
            work.state == State::Claimed && claims.contains(&(*id, work.attempt))
        })
    }

    fn of<'a>(
        &'a self,
        tx: Tx,
        partitions: &'a [i16],
    ) -> impl Iterator<Item = (&'a WorkId, &'a Work)> {
        self.work
            .rows(tx)
            .filter(|(_, work)| partitions.contains(&work.flow.partition()))
    }
}
