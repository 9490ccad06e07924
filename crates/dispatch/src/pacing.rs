use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use domain::{FlowId, Rate, Scope, TokenBucket};
use storage::work::InFlight;

use crate::{FlowLimits, pairs::Pairs};

/// Limits are asked for again after this long: a tenant's new rate is in force within it.
const LIMITS_LIFETIME: Duration = Duration::from_secs(10);

/// How long tokens gather for what has waited long enough not to mind.
const GATHERING: Duration = Duration::from_millis(200);

/// The token buckets of the flows in the partitions that we own, and of the pairs within them. Exact without sharing:
/// nobody else releases them. Instants are monotonic.
#[derive(Debug, Default)]
pub(crate) struct Pacing {
    /// Since when we look after each partition.
    since: BTreeMap<i16, Duration>,
    /// What others had released when we began to, and nobody had acted on.
    inherited: HashMap<FlowId, InFlight>,
    flows: HashMap<FlowId, Pace>,
    pairs: Pairs,
}

#[derive(Debug)]
struct Pace {
    limits: FlowLimits,
    asked_at: Duration,
    bucket: Option<TokenBucket>,
}

impl Pacing {
    /// Forgets the flows of partitions that are no longer ours.
    pub(crate) fn keep_only(&mut self, owned: impl Fn(i16) -> bool) {
        self.since.retain(|partition, _| owned(*partition));
        self.inherited.retain(|flow, _| owned(flow.partition()));
        self.flows.retain(|flow, _| owned(flow.partition()));
        self.pairs.keep_only(|flow| owned(flow.partition()));
    }

    /// Begins with partitions that became ours, when it was seen what of them is in flight.
    pub(crate) fn take_over(
        &mut self,
        partitions: &[i16],
        in_flight: Vec<InFlight>,
        now: Duration,
    ) {
        self.since.extend(partitions.iter().map(|it| (*it, now)));
        self.inherited
            .extend(in_flight.into_iter().map(|it| (it.flow, it)));
    }

    /// Whether the flow's limits must be asked for.
    pub(crate) fn is_stale(&self, flow: FlowId, now: Duration) -> bool {
        self.flows
            .get(&flow)
            .is_none_or(|pace| now >= pace.asked_at + LIMITS_LIFETIME)
    }

    /// Takes note of a flow's limits. A bucket that is new starts empty when the partition was taken: what another owner
    /// released just before that is unknown, so nothing may be assumed to be left.
    pub(crate) fn set_limits(&mut self, flow: FlowId, limits: FlowLimits, now: Duration) {
        let earlier = self.flows.remove(&flow).map(|pace| pace.bucket);
        let bucket = limits.rate.map(|rate| match earlier {
            Some(Some(mut bucket)) => {
                bucket.set_rate(rate, now);
                bucket
            }
            // There was no limit until now.
            Some(None) => TokenBucket::empty(rate, now),
            None => self.bucket(flow, rate, |inherited| inherited.unused, now),
        });
        self.flows.insert(
            flow,
            Pace {
                limits,
                asked_at: now,
                bucket,
            },
        );
    }

    /// A bucket as of the instant when the flow's partition was taken.
    fn bucket(
        &self,
        flow: FlowId,
        rate: Rate,
        unused: impl Fn(&InFlight) -> u32,
        now: Duration,
    ) -> TokenBucket {
        let since = self.since.get(&flow.partition()).copied().unwrap_or(now);
        let inherited = self.inherited.get(&flow).map_or(0, unused);
        TokenBucket::taken_over(rate, since, inherited)
    }

    /// Takes note that a flow has no limits any more: nothing is released, and what its bucket held stays known.
    pub(crate) fn close(&mut self, flow: FlowId, now: Duration) {
        if let Some(pace) = self.flows.get_mut(&flow) {
            pace.limits.window = 0;
            pace.asked_at = now;
        }
    }

    /// How many of the flow may be released now, of which so much was seen in flight just before; none of a flow without
    /// limits.
    pub(crate) fn permits(&mut self, in_flight: &InFlight, now: Duration) -> u32 {
        let Some(pace) = self.flows.get_mut(&in_flight.flow) else {
            return 0;
        };
        let room = pace.limits.window.saturating_sub(in_flight.out);
        // What was released and has not been acted on may still be used all at once.
        pace.bucket.as_mut().map_or(room, |bucket| {
            bucket.available(now, in_flight.unused).min(room)
        })
    }

    /// Whether outcomes would let more of the flow go, sooner than its next token does, when so much of it is in flight.
    pub(crate) fn waits_for_outcomes(&self, flow: FlowId, out: u32) -> bool {
        self.flows.get(&flow).is_some_and(|pace| {
            let is_held_up = pace.bucket.as_ref().is_some_and(TokenBucket::is_held_up);
            out >= pace.limits.window || is_held_up
        })
    }

    /// What the flow depends on, as far as that is known.
    pub(crate) fn scopes(&self, flow: FlowId) -> &[Scope] {
        self.flows
            .get(&flow)
            .map_or(&[], |pace| pace.limits.scopes.as_slice())
    }

    /// Spends a token of the flow. Before the release, not after it: its answer may be lost, and it may count all the same.
    pub(crate) fn take(&mut self, flow: FlowId) {
        if let Some(bucket) = self.bucket_mut(flow) {
            bucket.take(1);
        }
    }

    /// Was not released, as far as is known for certain.
    pub(crate) fn put_back(&mut self, flow: FlowId) {
        if let Some(bucket) = self.bucket_mut(flow) {
            bucket.put_back(1);
        }
    }

    fn bucket_mut(&mut self, flow: FlowId) -> Option<&mut TokenBucket> {
        self.flows.get_mut(&flow)?.bucket.as_mut()
    }

    /// When the flow's bucket has a token again; `None` if it has one, or the flow has no bucket.
    pub(crate) fn refilled_at(&self, flow: FlowId, now: Duration) -> Option<Duration> {
        let bucket = self.flows.get(&flow)?.bucket.as_ref()?;
        Some(bucket.next_at(now)).filter(|at| *at > now)
    }

    /// The same for what may wait until there are a few tokens: released together, they share their way. Most of the bucket
    /// stays free, so that nothing is lost while they gather.
    pub(crate) fn gathered_at(&self, flow: FlowId, now: Duration) -> Option<Duration> {
        let next = self.refilled_at(flow, now)?;
        let bucket = self.flows.get(&flow)?.bucket.as_ref()?;
        let few = bucket.filled_at(bucket.room() / 4, now);
        Some(next.max(few.min(now + GATHERING)))
    }

    /// Takes a token of the pair, of whose earlier ones so many are unused; otherwise says when there will be one. After a
    /// pause it begins with one, not with what has gathered meanwhile.
    pub(crate) fn take_pair(
        &mut self,
        (flow, pair): (FlowId, &[u8]),
        unused: u32,
        was_paused: bool,
        now: Duration,
    ) -> Result<(), Duration> {
        let Some(rate) = self.flows.get(&flow).and_then(|pace| pace.limits.pair) else {
            return Ok(());
        };
        let key = (flow, pair.to_vec());
        if let Some(bucket) = self.pairs.get_mut(&key) {
            let available = bucket.available(now, unused);
            if available == 0 {
                return Err(bucket.next_at(now));
            }
            bucket.take(if was_paused { available } else { 1 });
            return Ok(());
        }
        let mut bucket = self.bucket(flow, kept_short(rate), |it| it.count_unused(pair), now);
        let may_use_reserve = rate.burst() > 1 && unused == 0;
        let answer = if bucket.available(now, unused) > 0 || may_use_reserve {
            bucket.take(1);
            Ok(())
        } else {
            Err(bucket.next_at(now))
        };
        self.pairs.insert(key, bucket, now);
        answer
    }
}

/// One of a pair's burst is in reserve for the first message after the partition changed hands: a patient need not wait
/// because what another owner released just before is out of sight.
fn kept_short(rate: Rate) -> Rate {
    Rate::new(rate.per_second(), rate.burst().saturating_sub(1).max(1)).unwrap_or(rate)
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
        InFlight::none(flow())
    }

    fn limits(per_second: f64, burst: u32, window: u32) -> FlowLimits {
        FlowLimits {
            rate: Some(Rate::new(per_second, burst).unwrap()),
            window,
            pair: Some(Rate::new(1.0 / 6.0, 3).unwrap()),
            scopes: Vec::new(),
        }
    }

    const START: Duration = Duration::from_secs(100);

    fn pacing(limits: FlowLimits, in_flight: Vec<InFlight>, now: Duration) -> Pacing {
        let mut pacing = Pacing::default();
        pacing.take_over(&[flow().partition()], in_flight, START);
        pacing.set_limits(flow(), limits, now);
        pacing
    }

    fn take(pacing: &mut Pacing, released: u32) {
        for _ in 0..released {
            pacing.take(flow());
        }
    }

    #[test]
    fn a_new_owner_starts_with_an_empty_bucket() {
        let mut pacing = pacing(limits(10.0, 5, 100), vec![], START);
        assert_eq!(pacing.permits(&idle(), START), 0);
        let soon = START + Duration::from_millis(200);
        assert_eq!(pacing.permits(&idle(), soon), 2);
    }

    #[test]
    fn a_flow_first_seen_long_after_its_partition_was_taken_may_use_its_burst() {
        let later = START + Duration::from_mins(1);
        let mut pacing = pacing(limits(10.0, 5, 100), vec![], later);
        assert_eq!(pacing.permits(&idle(), later), 5);
    }

    #[test]
    fn what_another_owner_released_counts_as_unused_until_it_is_seen_used() {
        let later = START + Duration::from_mins(1);
        let inherited = InFlight {
            out: 4,
            unused: 4,
            ..idle()
        };
        let mut pacing = pacing(limits(10.0, 5, 100), vec![inherited], later);
        assert_eq!(pacing.permits(&idle(), later), 1);
        let soon = later + Duration::from_millis(200);
        assert_eq!(pacing.permits(&idle(), soon), 3);
    }

    #[test]
    fn what_was_released_counts_even_if_nobody_answered_unless_it_is_put_back() {
        let later = START + Duration::from_mins(1);
        let mut pacing = pacing(limits(10.0, 5, 100), vec![], later);
        assert_eq!(pacing.permits(&idle(), later), 5);
        take(&mut pacing, 4);
        assert_eq!(pacing.permits(&idle(), later), 1);
        pacing.put_back(flow());
        assert_eq!(pacing.permits(&idle(), later), 2);
    }

    #[test]
    fn a_flow_that_had_no_limit_until_now_starts_with_an_empty_bucket() {
        let mut free = limits(10.0, 5, 100);
        free.rate = None;
        let later = START + Duration::from_mins(1);
        let mut pacing = pacing(free, vec![], later);
        assert_eq!(pacing.permits(&idle(), later), 100);
        pacing.set_limits(flow(), limits(10.0, 5, 100), later);
        assert_eq!(pacing.permits(&idle(), later), 0);
    }

    #[test]
    fn what_is_in_flight_takes_room_in_the_window() {
        let later = START + Duration::from_mins(1);
        let mut pacing = pacing(limits(10.0, 5, 4), vec![], later);
        assert_eq!(pacing.permits(&InFlight { out: 3, ..idle() }, later), 1);
        assert_eq!(pacing.permits(&InFlight { out: 9, ..idle() }, later), 0);
    }

    /// So many to the pair, one after the other; how long until the next, in milliseconds.
    fn used_up(pacing: &mut Pacing, pair: &[u8], count: u32, now: Duration) -> u128 {
        for sent in 0..count {
            let taken = pacing.take_pair((flow(), pair), 0, false, now);
            assert_eq!(taken, Ok(()), "after {sent}");
        }
        let at = pacing.take_pair((flow(), pair), 0, false, now);
        at.unwrap_err().saturating_sub(now).as_millis()
    }

    #[test]
    fn a_pair_that_used_its_burst_waits_and_others_do_not() {
        let later = START + Duration::from_mins(1);
        let mut pacing = pacing(limits(10.0, 5, 100), vec![], later);
        assert_eq!(used_up(&mut pacing, b"a", 2, later), 6000);
        assert_eq!(used_up(&mut pacing, b"b", 2, later), 6000);
    }

    #[test]
    fn a_pair_that_was_paused_begins_with_one() {
        let later = START + Duration::from_mins(1);
        let mut pacing = pacing(limits(10.0, 5, 100), vec![], START);
        assert_eq!(pacing.take_pair((flow(), b"a"), 0, false, later), Ok(()));
        let much_later = later + Duration::from_mins(1);
        let first = pacing.take_pair((flow(), b"a"), 0, true, much_later);
        assert_eq!(first, Ok(()));
        assert_eq!(used_up(&mut pacing, b"a", 0, much_later), 6000);
    }

    #[test]
    fn a_new_owner_sends_a_pair_one_and_then_waits_as_if_there_had_been_another() {
        let mut pacing = pacing(limits(10.0, 5, 100), vec![], START);
        assert_eq!(used_up(&mut pacing, b"a", 1, START), 12_000);
    }

    #[test]
    fn what_lies_unused_for_a_pair_counts_against_its_burst_whoever_released_it() {
        let inherited = InFlight {
            out: 2,
            unused: 2,
            unused_pairs: vec![b"a".to_vec(); 2],
            ..idle()
        };
        let later = START + Duration::from_mins(1);
        let mut pacing = pacing(limits(10.0, 5, 100), vec![inherited], later);
        assert!(pacing.take_pair((flow(), b"a"), 2, false, later).is_err());
        assert_eq!(pacing.take_pair((flow(), b"b"), 0, false, later), Ok(()));
        assert_eq!(pacing.take_pair((flow(), b"b"), 1, false, later), Ok(()));
        assert!(pacing.take_pair((flow(), b"b"), 2, false, later).is_err());
    }

    #[test]
    fn only_a_flow_that_waits_for_a_token_is_looked_at_when_there_is_one() {
        let later = START + Duration::from_mins(1);
        let mut pacing = pacing(limits(10.0, 5, 4), vec![], later);
        assert_eq!(pacing.permits(&idle(), later), 4);
        assert_eq!(pacing.refilled_at(flow(), later), None);
        take(&mut pacing, 5);
        let refilled = pacing.refilled_at(flow(), later).unwrap();
        assert!(refilled > later && refilled <= later + Duration::from_millis(101));
    }

    #[test]
    fn outcomes_matter_to_a_full_window_and_to_a_bucket_that_is_nearly_all_unused() {
        let later = START + Duration::from_mins(1);
        let mut pacing = pacing(limits(10.0, 5, 10), vec![], later);
        assert_eq!(pacing.permits(&idle(), later), 5);
        take(&mut pacing, 3);
        assert!(!pacing.waits_for_outcomes(flow(), 3));
        assert!(pacing.waits_for_outcomes(flow(), 10));
        take(&mut pacing, 1);
        assert!(pacing.waits_for_outcomes(flow(), 4));
    }

    #[test]
    fn tokens_gather_while_there_is_room_for_more_and_not_for_long() {
        let later = START + Duration::from_mins(1);
        let waits = |per_second, burst| {
            let mut pacing = pacing(limits(per_second, burst, 1000), vec![], later);
            assert_eq!(pacing.permits(&idle(), later), burst);
            take(&mut pacing, burst);
            // They were used.
            assert_eq!(pacing.permits(&idle(), later), 0);
            let at = pacing.gathered_at(flow(), later).unwrap();
            at.saturating_sub(later).as_millis()
        };
        assert_eq!(waits(1.0, 1), 1000);
        assert_eq!(waits(10.0, 3), 100);
        assert_eq!(waits(100.0, 40), 100);
        assert_eq!(waits(20.0, 20), 200);
        assert_eq!(waits(100.0, 400), 200);
    }

    #[test]
    fn a_flow_without_limits_is_closed_until_it_has_some_and_earns_no_burst_by_that() {
        let mut pacing = pacing(limits(10.0, 5, 4), vec![], START);
        let later = START + Duration::from_mins(1);
        assert_eq!(pacing.permits(&idle(), later), 4);
        take(&mut pacing, 5);
        pacing.close(flow(), later);
        assert_eq!(pacing.permits(&idle(), later), 0);
        assert!(!pacing.is_stale(flow(), later));
        pacing.set_limits(flow(), limits(10.0, 5, 4), later);
        assert_eq!(pacing.permits(&idle(), later), 0);
    }

    #[test]
    fn flows_of_lost_partitions_are_forgotten() {
        let mut pacing = pacing(limits(10.0, 5, 100), vec![], START);
        pacing.keep_only(|_| false);
        assert!(pacing.is_stale(flow(), START));
        assert_eq!(pacing.permits(&idle(), START + Duration::from_mins(1)), 0);
    }
}
