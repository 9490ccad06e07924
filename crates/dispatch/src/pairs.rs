use std::time::Duration;

use domain::{FlowId, TokenBucket};
use indexmap::IndexMap;

/// What is released is acted on, or lost, within its leases.
const USED_WITHIN: Duration = Duration::from_mins(3);
/// How many others are looked at for each pair that is added: of a stream of pairs at most a seventh more are known than
/// must be.
const LOOKS: usize = 8;

/// The token buckets of the pairs within flows. One whose forgetting makes no difference is forgotten: a few are looked at
/// whenever one is added, in turn, so that nobody waits until all are, and memory follows the patients of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    // Without gaps where some were removed: a table with gaps, as the standard one, grows once more when they are used up.
    buckets: IndexMap<(FlowId, Vec<u8>), TokenBucket>,
    /// The place that is looked at next.
    next: usize,
}

impl Pairs {
    pub(crate) fn get_mut(&mut self, pair: &(FlowId, Vec<u8>)) -> Option<&mut TokenBucket> {
        self.buckets.get_mut(pair)
    }

    pub(crate) fn insert(&mut self, pair: (FlowId, Vec<u8>), bucket: TokenBucket, now: Duration) {
        self.forget_some(now);
        self.buckets.insert(pair, bucket);
    }

    /// Forgets those of other flows.
    pub(crate) fn keep_only(&mut self, wanted: impl Fn(FlowId) -> bool) {
        self.buckets.retain(|(flow, _), _| wanted(*flow));
    }

    fn forget_some(&mut self, now: Duration) {
        for _ in 0..LOOKS {
            let Some((_, bucket)) = self.buckets.get_index(self.next) else {
                self.next = 0;
                break;
            };
            if bucket.is_at_rest(now, USED_WITHIN) {
                self.buckets.swap_remove_index(self.next);
            } else {
                self.next += 1;
            }
        }
        // What a peak has taken is given back.
        if self.buckets.len() < self.buckets.capacity() / 8 {
            self.buckets.shrink_to(2 * self.buckets.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Rate;
    use uuid::Uuid;

    use super::*;

    /// One new pair after the other, so many a second for so long, each sent one message; the most that were known, and
    /// the room that was taken.
    fn stream(pairs: &mut Pairs, (from, lasting): (u64, u64), per_second: u64) -> (usize, usize) {
        let flow = FlowId::from_uuid(Uuid::from_u128(7));
        let mut most = (0, 0);
        for second in from..from + lasting {
            let now = Duration::from_secs(second);
            for pair in second * per_second..(second + 1) * per_second {
                let mut bucket = TokenBucket::full(Rate::new(1.0 / 6.0, 3).unwrap(), now);
                bucket.take(1);
                pairs.insert((flow, pair.to_be_bytes().to_vec()), bucket, now);
            }
            let known = pairs.buckets.len();
            most = (most.0.max(known), most.1.max(pairs.buckets.capacity()));
        }
        most
    }

    #[test]
    fn a_stream_of_patients_is_known_for_little_longer_than_it_must_be() {
        let mut pairs = Pairs::default();
        // Each of them for three minutes and six seconds.
        let must = 186 * 100;
        let (known, room) = stream(&mut pairs, (0, 240), 100);
        assert!(known > must, "{known} of {must} are known");
        let (later, room_later) = stream(&mut pairs, (240, 1200), 100);
        assert!(later < must * 6 / 5, "{later} in place of {must}");
        assert_eq!(room_later, room);
    }

    #[test]
    fn what_a_peak_has_taken_is_given_back() {
        let mut pairs = Pairs::default();
        let (_, peak) = stream(&mut pairs, (0, 60), 100);
        stream(&mut pairs, (1000, 2000), 1);
        let room = pairs.buckets.capacity();
        assert!(room < peak / 4, "{room} of {peak}");
    }
}
