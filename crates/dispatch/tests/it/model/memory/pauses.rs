use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{PARTITIONS, Scope, WorkId, WorkKind};
use storage::work::{NewPause, Pause};

use super::tables::{Answer, Blocked, PauseRow, State, Tables, Tx, Work};

type Instant = DateTime<Utc>;

impl Tables {
    pub(crate) fn list_pauses(&self, tx: Tx, scopes: &[Scope]) -> Vec<Pause> {
        let pauses = scopes
            .iter()
            .filter_map(|it| Some((it, self.pauses.get(tx, it)?)));
        pauses
            .map(|(scope, paused)| Pause {
                scope: scope.clone(),
                until: paused.until,
                tried_until: paused.tried_until,
            })
            .collect()
    }

    pub(crate) fn try_pauses(
        &mut self,
        tx: Tx,
        scopes: &[Scope],
        (now, tried_until): (Instant, Instant),
    ) -> Vec<Scope> {
        let free = self.pauses.unlocked(tx, |scope, paused| {
            scopes.contains(scope)
                && paused.until <= now
                && paused.tried_until.is_none_or(|until| until <= now)
        });
        let mut taken = Vec::with_capacity(free.len());
        for (scope, mut paused) in free {
            paused.tried_until = Some(tried_until);
            self.pauses.put(tx, scope.clone(), Some(paused));
            taken.push(scope);
        }
        taken
    }

    pub(crate) fn probe_held(&mut self, tx: Tx, now: Instant) -> Answer<u64> {
        let held = |scope: &Scope| {
            let held = self
                .work
                .rows(tx)
                .filter(|(_, work)| work.state == State::Held(scope.clone()));
            held.min_by_key(|(id, work)| (work.created_at, **id))
                .map(|(id, work)| (*id, work.clone()))
        };
        let due = self.pauses.unlocked(tx, |_, paused| paused.until <= now);
        let probes: Vec<_> = due
            .into_iter()
            .filter_map(|(scope, paused)| Some((held(&scope)?, scope, paused)))
            .collect();
        if probes
            .iter()
            .any(|((id, _), ..)| self.work.is_locked(tx, id))
        {
            return Err(Blocked);
        }
        let count = probes.len();
        for ((id, work), scope, mut paused) in probes {
            let again = (paused.until - paused.paused_at) * 2;
            paused.strikes += 1;
            paused.until = now + again.min(chrono::TimeDelta::hours(1));
            self.pauses.put(tx, scope, Some(paused));
            self.wake(tx, (id, work), now);
        }
        Ok(count as u64)
    }

    pub(crate) fn insert_pauses(
        &mut self,
        tx: Tx,
        pauses: &[NewPause],
        now: Instant,
    ) -> Answer<()> {
        let mut longest: BTreeMap<&Scope, &NewPause> = BTreeMap::new();
        for pause in pauses {
            let of_scope = longest.entry(&pause.scope).or_insert(pause);
            if pause.backoff.first > of_scope.backoff.first {
                *of_scope = pause;
            }
        }
        if longest.keys().any(|it| self.pauses.is_locked(tx, it)) {
            return Err(Blocked);
        }
        for (scope, pause) in longest {
            let first = now + pause.backoff.first;
            let row = match self.pauses.get(tx, scope) {
                None => PauseRow {
                    strikes: 1,
                    paused_at: now,
                    until: first,
                    tried_until: None,
                },
                Some(earlier) if earlier.until <= now => PauseRow {
                    strikes: earlier.strikes + 1,
                    paused_at: now,
                    until: now
                        + pause
                            .backoff
                            .after(u32::try_from(earlier.strikes.min(30)).unwrap()),
                    tried_until: None,
                },
                Some(earlier) => PauseRow {
                    until: earlier.until.max(first),
                    tried_until: None,
                    ..earlier.clone()
                },
            };
            self.pauses.put(tx, scope.clone(), Some(row));
        }
        Ok(())
    }

    pub(crate) fn lift_pauses(
        &mut self,
        tx: Tx,
        kind: WorkKind,
        proven: &BTreeMap<Scope, Instant>,
        now: Instant,
    ) -> Answer<Vec<Scope>> {
        let lifted = self.pauses.matching(tx, |scope, paused| {
            proven.get(scope).is_some_and(|at| paused.paused_at < *at)
        })?;
        let lifted: Vec<Scope> = lifted.into_iter().map(|(scope, _)| scope).collect();
        self.wake_held(tx, &lifted, now)?;
        for scope in &lifted {
            self.pauses.put(tx, scope.clone(), None);
        }
        for partition in (0..PARTITIONS).filter(|_| !lifted.is_empty()) {
            self.signal_work(tx, kind, partition);
        }
        Ok(lifted)
    }

    /// As an operator who has mended the cause.
    pub(crate) fn resume(
        &mut self,
        tx: Tx,
        kind: WorkKind,
        scope: &Scope,
        now: Instant,
    ) -> Answer<()> {
        let lifted = self.pauses.matching(tx, |it, _| it == scope)?;
        self.wake_held(tx, std::slice::from_ref(scope), now)?;
        for (scope, _) in lifted {
            self.pauses.put(tx, scope, None);
            for partition in 0..PARTITIONS {
                self.signal_work(tx, kind, partition);
            }
        }
        Ok(())
    }

    fn wake_held(&mut self, tx: Tx, scopes: &[Scope], now: Instant) -> Answer<()> {
        let held = self.work.matching(
            tx,
            |_, work| matches!(&work.state, State::Held(scope) if scopes.contains(scope)),
        )?;
        for held in held {
            self.wake(tx, held, now);
        }
        Ok(())
    }

    fn wake(&mut self, tx: Tx, (id, mut work): (WorkId, Work), now: Instant) {
        work.state = State::Waiting;
        work.due_at = now;
        self.signal_work(tx, work.kind, work.flow.partition());
        self.work.put(tx, id, Some(work));
    }
}
