//! Who may go: limits, windows, pauses and pairs.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::{FlowId, Scope};
use storage::work::{Candidate, FlowPermits, InFlight};

use super::{Instant, Releaser, until_then};
use crate::{
    Handler, Statements,
    gates::{Gate, Gates},
    store::Connection,
    wake::Looks,
};

impl<H: Handler> Releaser<H> {
    /// How many of each flow may be released, and what those would try that stand before a pause which is over.
    pub(super) fn permits(
        &mut self,
        due: Vec<FlowId>,
        in_flight: &mut HashMap<FlowId, InFlight>,
        (gates, now): (&Gates, Instant),
        looks: &mut Looks,
    ) -> (Vec<FlowPermits>, HashMap<FlowId, Vec<Scope>>) {
        let mut permits = Vec::with_capacity(due.len());
        let mut trying = HashMap::new();
        for flow in due {
            let out = in_flight.entry(flow).or_insert(InFlight::none(flow));
            let most = self.pacing.permits(out, now.monotonic);
            let may_try = most > 0 && out.out == 0;
            let most = match gates.pass(self.pacing.scopes(flow), may_try, now.wall) {
                Gate::Open => most,
                Gate::Try(scopes) => {
                    trying.insert(flow, scopes);
                    1
                }
                Gate::Shut(Some(until)) => {
                    let at = now.monotonic + until_then(until, now.wall);
                    looks.no_later_than(flow.partition(), at);
                    continue;
                }
                Gate::Shut(None) => {
                    self.short.insert(flow.partition());
                    continue;
                }
            };
            permits.push(FlowPermits {
                flow,
                permits: most,
            });
        }
        (permits, trying)
    }

    /// Keeps what does not try anything, and what got the turn to try all that was paused for its flow.
    pub(super) async fn take_turns(
        &self,
        connection: &mut Connection<H>,
        mut chosen: Vec<Candidate>,
        trying: &HashMap<FlowId, Vec<Scope>>,
    ) -> storage::Result<Vec<Candidate>> {
        let tried = chosen.iter().filter_map(|it| trying.get(&it.flow));
        let mut scopes: Vec<Scope> = tried.flatten().cloned().collect();
        if scopes.is_empty() {
            return Ok(chosen);
        }
        scopes.sort_unstable();
        scopes.dedup();
        let now = self.deps.clock.now();
        let tried_until = now + self.settings.release_lease * 2;
        let taken = connection.try_pauses(&scopes, now, tried_until).await?;
        let mut free: HashSet<Scope> = taken.into_iter().collect();
        chosen.retain(|candidate| {
            trying
                .get(&candidate.flow)
                .is_none_or(|scopes| scopes.iter().all(|scope| free.remove(scope)))
        });
        Ok(chosen)
    }

    /// The pauses of all that these flows depend on.
    pub(super) async fn gates(
        &self,
        connection: &mut Connection<H>,
        flows: &[FlowId],
    ) -> storage::Result<Gates> {
        let scopes = flows.iter().flat_map(|flow| self.pacing.scopes(*flow));
        let mut scopes: Vec<Scope> = scopes.cloned().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Ok(Gates::new(connection.list_pauses(&scopes).await?))
    }

    pub(super) async fn refresh_limits(
        &mut self,
        flows: &[FlowId],
        now: Instant,
    ) -> storage::Result<()> {
        let stale: Vec<FlowId> = flows
            .iter()
            .copied()
            .filter(|flow| self.pacing.is_stale(*flow, now.monotonic))
            .collect();
        if stale.is_empty() {
            return Ok(());
        }
        let mut limits = self.handler.limits(&stale).await?;
        for flow in stale {
            let Some(limits) = limits.remove(&flow) else {
                self.pacing.close(flow, now.monotonic);
                continue;
            };
            self.pacing.set_limits(flow, limits, now.monotonic);
        }
        Ok(())
    }

    /// Postpones what its recipient's rate or pause does not allow now; keeps the rest. Also returns the flows of what was
    /// postponed.
    pub(super) async fn keep_pairs(
        &mut self,
        connection: &mut Connection<H>,
        picked: Vec<Candidate>,
        in_flight: &HashMap<FlowId, InFlight>,
    ) -> storage::Result<(Vec<Candidate>, Vec<FlowId>)> {
        let paused = paused_pairs(connection, &picked).await?;
        let now = self.instant();
        let mut chosen: Vec<Candidate> = Vec::with_capacity(picked.len());
        let mut chosen_pairs: HashMap<(FlowId, Vec<u8>), u32> = HashMap::new();
        let (mut postponed, mut behind) = (Vec::new(), Vec::new());
        for candidate in picked {
            let Some(pair) = candidate.pair.clone() else {
                chosen.push(candidate);
                continue;
            };
            let flow = candidate.flow;
            let out = in_flight.get(&flow).map_or(0, |it| it.count_unused(&pair));
            let scope = Scope::pair(flow, &pair);
            let unused = chosen_pairs.entry((flow, pair)).or_insert(out);
            let may_go = match paused.get(&scope) {
                Some(until) if *until > now.wall => Err(*until),
                paused => {
                    let pair = candidate.pair.as_deref().unwrap_or_default();
                    let taken = self.pacing.take_pair(
                        (flow, pair),
                        *unused,
                        paused.is_some(),
                        now.monotonic,
                    );
                    taken.map_err(|at| now.wall + at.saturating_sub(now.monotonic))
                }
            };
            match may_go {
                Ok(()) => {
                    *unused += 1;
                    chosen.push(candidate);
                }
                Err(until) => {
                    postponed.push((candidate.id, until));
                    behind.push(flow);
                }
            }
        }
        if !postponed.is_empty() {
            connection
                .postpone(&postponed, "waiting for the rate limit of this recipient")
                .await?;
        }
        Ok((chosen, behind))
    }
}

async fn paused_pairs(
    connection: &mut impl Statements,
    candidates: &[Candidate],
) -> storage::Result<HashMap<Scope, DateTime<Utc>>> {
    let pairs = candidates
        .iter()
        .filter_map(|candidate| Some((candidate.flow, candidate.pair.as_deref()?)));
    let mut scopes: Vec<Scope> = pairs.map(|(flow, pair)| Scope::pair(flow, pair)).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let pauses = connection.list_pauses(&scopes).await?;
    Ok(pauses.into_iter().map(|p| (p.scope, p.until)).collect())
}
