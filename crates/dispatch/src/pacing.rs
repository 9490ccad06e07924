use std::{collections::HashMap, time::Duration};

use domain::{FlowId, Scope, TokenBucket};
use storage::work::InFlight;

use crate::FlowLimits;

/// Limits are asked for again after this long: a tenant's new rate is in force within it.
const LIMITS_LIFETIME: Duration = Duration::from_secs(10);
/// Beyond this many pairs, those whose buckets are full again are forgotten.
const PAIRS_KEPT: usize = 10_000;

/// The token buckets of the flows we own, and of the pairs within them. Exact without sharing: nobody else releases them.
/// Instants are monotonic.
#[derive(Debug, Default)]
pub(crate) struct Pacing {
    flows: HashMap<FlowId, Pace>,
    pairs: HashMap<(FlowId, Vec<u8>), TokenBucket>,
}

#[derive(Debug)]
struct Pace {
    limits: FlowLimits,
    owned_since: Duration,
    asked_at: Duration,
    bucket: Option<TokenBucket>,
}

impl Pacing {
    /// Whether the flow's limits must be asked for.
    pub(crate) fn is_stale(&self, flow: FlowId, now: Duration) -> bool {
        self.flows
            .get(&flow)
            .is_none_or(|pace| now >= pace.asked_at + LIMITS_LIFETIME)
    }

    /// Takes note of a flow's limits. A bucket that is new starts empty at `owned_since`: what another owner released just
    /// before that is unknown, so nothing may be assumed to be left.
    pub(crate) fn set_limits(
        &mut self,
        flow: FlowId,
        limits: FlowLimits,
        owned_since: Duration,
        now: Duration,
    ) {
        let earlier = self.flows.remove(&flow).and_then(|pace| pace.bucket);
        let bucket = limits.rate.map(|rate| match earlier {
            Some(mut bucket) => {
                bucket.set_rate(rate, now);
                bucket
            }
            None => TokenBucket::empty(rate, owned_since),
        });
        self.flows.insert(
            flow,
            Pace {
                limits,
                owned_since,
                asked_at: now,
                bucket,
            },
        );
    }

    /// Takes note that a flow has no limits any more: nothing is released, and what its bucket held stays known.
    pub(crate) fn close(&mut self, flow: FlowId, now: Duration) {
        if let Some(pace) = self.flows.get_mut(&flow) {
            pace.limits.window = 0;
            pace.asked_at = now;
        }
    }

    /// How many of the flow may be released now; none of a flow without limits.
    pub(crate) fn permits(&mut self, in_flight: InFlight, now: Duration) -> u32 {
        let Some(pace) = self.flows.get_mut(&in_flight.flow) else {
            return 0;
        };
        let room = pace.limits.window.saturating_sub(in_flight.out);
        // What was released and has not been acted on may still be used all at once.
        pace.bucket.as_mut().map_or(room, |bucket| {
            bucket.available(now, in_flight.unused).min(room)
        })
    }

    /// What the flow depends on, as far as that is known.
    pub(crate) fn scopes(&self, flow: FlowId) -> &[Scope] {
        self.flows
            .get(&flow)
            .map_or(&[], |pace| pace.limits.scopes.as_slice())
    }

    pub(crate) fn take(&mut self, flow: FlowId, released: u32) {
        if let Some(bucket) = self
            .flows
            .get_mut(&flow)
            .and_then(|pace| pace.bucket.as_mut())
        {
            bucket.take(released);
        }
    }

    /// When the flow's bucket has a token again; `None` if it has one, or the flow has no bucket.
    pub(crate) fn refilled_at(&self, flow: FlowId, now: Duration) -> Option<Duration> {
        let bucket = self.flows.get(&flow)?.bucket.as_ref()?;
        Some(bucket.next_at(now)).filter(|at| *at > now)
    }

    /// Takes a token of the pair; otherwise says when there will be one.
    pub(crate) fn take_pair(
        &mut self,
        flow: FlowId,
        pair: &[u8],
        now: Duration,
    ) -> Result<(), Duration> {
        let Some((rate, owned_since)) = self
            .flows
            .get(&flow)
            .and_then(|pace| Some((pace.limits.pair?, pace.owned_since)))
        else {
            return Ok(());
        };
        if self.pairs.len() >= PAIRS_KEPT {
            self.pairs
                .retain(|_, bucket| bucket.available(now, 0) < bucket.rate().burst());
        }
        let key = (flow, pair.to_vec());
        let Some(bucket) = self.pairs.get_mut(&key) else {
            // What another owner released to this pair before us is unknown: one message, at most, is too many.
            let mut bucket = TokenBucket::empty(rate, owned_since);
            bucket.available(now, 0);
            bucket.take(1);
            self.pairs.insert(key, bucket);
            return Ok(());
        };
        if bucket.available(now, 0) == 0 {
            return Err(bucket.next_at(now));
        }
        bucket.take(1);
        Ok(())
    }

    /// A pause of this pair is over: it begins with one, not with what has gathered meanwhile.
    pub(crate) fn temper_pair(&mut self, flow: FlowId, pair: &[u8], now: Duration) {
        if let Some(bucket) = self.pairs.get_mut(&(flow, pair.to_vec())) {
            let spare = bucket.available(now, 0).saturating_sub(1);
            bucket.take(spare);
        }
    }

    /// Forgets the flows of partitions that are no longer ours.
    pub(crate) fn keep_only(&mut self, owned: impl Fn(i16) -> bool) {
        self.flows.retain(|flow, _| owned(flow.partition()));
        self.pairs.retain(|(flow, _), _| owned(flow.partition()));
    }
}

#[cfg(test)]
mod tests {
    use domain::Rate;
    use uuid::Uuid;

    use super::*;

    fn flow() -> FlowId {
        FlowId::from_uuid(Uuid::from_u128(7))
    }

    fn idle() -> InFlight {
        InFlight {
            flow: flow(),
            unused: 0,
            out: 0,
        }
    }

    fn limits(per_second: f64, burst: u32, window: u32) -> FlowLimits {
        FlowLimits {
            rate: Some(Rate::new(per_second, burst).unwrap()),
            window,
            pair: Some(Rate::new(1.0 / 6.0, 2).unwrap()),
            scopes: Vec::new(),
        }
    }

    const START: Duration = Duration::from_secs(100);

    #[test]
    fn a_new_owner_starts_with_an_empty_bucket() {
        let mut pacing = Pacing::default();
        pacing.set_limits(flow(), limits(10.0, 5, 100), START, START);
        assert_eq!(pacing.permits(idle(), START), 0);
        assert_eq!(
            pacing.permits(idle(), START + Duration::from_millis(200)),
            2
        );
    }

    #[test]
    fn a_flow_first_seen_long_after_its_partition_was_taken_may_use_its_burst() {
        let mut pacing = Pacing::default();
        let later = START + Duration::from_mins(1);
        pacing.set_limits(flow(), limits(10.0, 5, 100), START, later);
        assert_eq!(pacing.permits(idle(), later), 5);
    }

    #[test]
    fn what_is_in_flight_takes_room_in_the_window() {
        let mut pacing = Pacing::default();
        let later = START + Duration::from_mins(1);
        pacing.set_limits(flow(), limits(10.0, 5, 4), START, later);
        assert_eq!(pacing.permits(InFlight { out: 3, ..idle() }, later), 1);
        assert_eq!(pacing.permits(InFlight { out: 9, ..idle() }, later), 0);
    }

    #[test]
    fn a_pair_that_used_its_burst_waits_and_others_do_not() {
        let mut pacing = Pacing::default();
        let later = START + Duration::from_mins(1);
        pacing.set_limits(flow(), limits(10.0, 5, 100), START, later);
        assert_eq!(pacing.take_pair(flow(), b"a", later), Ok(()));
        assert_eq!(pacing.take_pair(flow(), b"a", later), Ok(()));
        let at = pacing
            .take_pair(flow(), b"a", later)
            .unwrap_err()
            .saturating_sub(later);
        assert!(
            at > Duration::from_secs(5) && at < Duration::from_millis(6001),
            "{at:?}"
        );
        assert_eq!(pacing.take_pair(flow(), b"b", later), Ok(()));
    }

    #[test]
    fn a_pair_that_was_paused_begins_with_one() {
        let mut pacing = Pacing::default();
        let later = START + Duration::from_mins(1);
        pacing.set_limits(flow(), limits(10.0, 5, 100), START, START);
        assert_eq!(pacing.take_pair(flow(), b"a", later), Ok(()));
        let much_later = later + Duration::from_mins(1);
        pacing.temper_pair(flow(), b"a", much_later);
        assert_eq!(pacing.take_pair(flow(), b"a", much_later), Ok(()));
        assert!(pacing.take_pair(flow(), b"a", much_later).is_err());
    }

    #[test]
    fn a_new_owner_sends_a_pair_one_and_then_waits_as_if_there_had_been_another() {
        let mut pacing = Pacing::default();
        pacing.set_limits(flow(), limits(10.0, 5, 100), START, START);
        assert_eq!(pacing.take_pair(flow(), b"a", START), Ok(()));
        let at = pacing
            .take_pair(flow(), b"a", START)
            .unwrap_err()
            .saturating_sub(START);
        assert!(
            at > Duration::from_secs(11) && at < Duration::from_millis(12001),
            "{at:?}"
        );
    }

    #[test]
    fn only_a_flow_that_waits_for_a_token_is_looked_at_when_there_is_one() {
        let mut pacing = Pacing::default();
        let later = START + Duration::from_mins(1);
        pacing.set_limits(flow(), limits(10.0, 5, 4), START, later);
        assert_eq!(pacing.permits(idle(), later), 4);
        assert_eq!(pacing.refilled_at(flow(), later), None);
        pacing.take(flow(), 5);
        let refilled = pacing.refilled_at(flow(), later).unwrap();
        assert!(refilled > later && refilled <= later + Duration::from_millis(101));
    }

    #[test]
    fn a_flow_without_limits_is_closed_until_it_has_some_and_earns_no_burst_by_that() {
        let mut pacing = Pacing::default();
        pacing.set_limits(flow(), limits(10.0, 5, 4), START, START);
        let later = START + Duration::from_mins(1);
        assert_eq!(pacing.permits(idle(), later), 4);
        pacing.take(flow(), 5);
        pacing.close(flow(), later);
        assert_eq!(pacing.permits(idle(), later), 0);
        assert!(!pacing.is_stale(flow(), later));
        pacing.set_limits(flow(), limits(10.0, 5, 4), START, later);
        assert_eq!(pacing.permits(idle(), later), 0);
    }

    #[test]
    fn flows_of_lost_partitions_are_forgotten() {
        let mut pacing = Pacing::default();
        pacing.set_limits(flow(), limits(10.0, 5, 100), START, START);
        pacing.keep_only(|_| false);
        assert!(pacing.is_stale(flow(), START));
        assert_eq!(pacing.permits(idle(), START + Duration::from_mins(1)), 0);
    }
}
