//! Whose turn it is while more waits than there are hands for.

use domain::{FlowId, PARTITIONS};
use storage::work::FlowPermits;

/// Goes round the flows, in the order of their partitions: what a turn has no hands for, the next turns come to first.
#[derive(Debug)]
pub(super) struct Round {
    /// Where the next turn begins: with this partition, in it after this flow.
    next: (i16, Option<FlowId>),
    /// How many partitions a turn looks at: no more than it has hands for, if they are full of flows.
    width: usize,
}

impl Default for Round {
    fn default() -> Self {
        Self {
            next: (0, None),
            width: usize::from(PARTITIONS.unsigned_abs()),
        }
    }
}

impl Round {
    /// Which of these partitions are looked at now, in order.
    pub(super) fn take(&self, mut due: Vec<i16>) -> Vec<i16> {
        due.sort_unstable_by_key(|it| self.distance(*it));
        // What is left of one partition may be hardly a flow.
        let begun = usize::from(self.next.1.is_some());
        due.truncate(self.width + begun);
        due
    }

    /// Puts flows in order. Without those that had their turn just now: these partitions are looked at again.
    pub(super) fn arrange(&self, flows: &mut Vec<FlowId>) -> Option<i16> {
        flows.sort_unstable_by_key(|it| (self.distance(it.partition()), *it));
        let (partition, after) = self.next;
        let after = after?;
        let before = flows.len();
        flows.retain(|it| it.partition() != partition || *it > after);
        (flows.len() < before).then_some(partition)
    }

    /// Where the next turn begins, after one that looked at these partitions and gave these flows, in order, so much of what
    /// they may have.
    pub(super) fn go_on(&mut self, looked_at: &[i16], wanted: &[FlowPermits], given: &[u32]) {
        let wanting = wanted.iter().zip(given);
        let wanting: Vec<(FlowId, u32)> = wanting
            .filter(|(wanted, _)| wanted.permits > 0)
            .map(|(wanted, given)| (wanted.flow, *given))
            .collect();
        let served = wanting.iter().take_while(|(_, given)| *given > 0).count();
        let last = wanting.iter().take(served).next_back();
        let Some((first, _)) = wanting.get(served) else {
            let last = looked_at.last().copied().unwrap_or_default();
            self.next = ((last + 1) % PARTITIONS, None);
            self.width = (self.width * 2).min(usize::from(PARTITIONS.unsigned_abs()));
            return;
        };
        if let Some((last, _)) = last {
            let after = (last.partition() == first.partition()).then_some(*last);
            self.next = (first.partition(), after);
        }
        let hands: u32 = given.iter().sum();
        if wanting.len() > 2 * hands as usize {
            self.width = (looked_at.len() / 2).max(1);
        }
    }

    fn distance(&self, partition: i16) -> i16 {
        (partition - self.next.0).rem_euclid(PARTITIONS)
    }
}

/// How much each flow gets of so many hands: nobody more than it may have, nobody more than another that would have more, and the
/// first something if there are not enough for all.
pub(super) fn share(wanted: &[FlowPermits], hands: u32) -> Vec<u32> {
    let mut sizes: Vec<u32> = wanted.iter().map(|it| it.permits).collect();
    sizes.retain(|it| *it > 0);
    sizes.sort_unstable();
    let mut left = hands;
    let mut sharing = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
    let mut part = u32::MAX;
    for size in sizes {
        let equal = left / sharing;
        if size > equal {
            part = equal.max(1);
            break;
        }
        left -= size;
        sharing -= 1;
    }
    let mut left = hands;
    let given = wanted.iter().map(|it| {
        let given = it.permits.min(part).min(left);
        left -= given;
        given
    });
    given.collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn wanted(permits: &[u32]) -> Vec<FlowPermits> {
        let flow = |permits: &u32| FlowPermits {
            flow: FlowId::from_uuid(Uuid::new_v4()),
            permits: *permits,
        };
        permits.iter().map(flow).collect()
    }

    #[test]
    fn hands_are_shared_and_what_one_leaves_is_for_the_others() {
        assert_eq!(share(&wanted(&[5, 3, 9]), 20), [5, 3, 9]);
        assert_eq!(share(&wanted(&[5, 1, 9]), 9), [4, 1, 4]);
        assert_eq!(share(&wanted(&[1000, 0, 1000]), 9), [4, 0, 4]);
        assert_eq!(share(&wanted(&[7, 7, 7, 7]), 2), [1, 1, 0, 0]);
        assert_eq!(share(&wanted(&[7, 7]), 0), [0, 0]);
        assert_eq!(share(&[], 7), Vec::<u32>::new());
    }

    /// Flows of every partition, many of each.
    fn flows(count: usize) -> Vec<FlowId> {
        let mut flows: Vec<FlowId> = (0..count)
            .map(|it| FlowId::from_uuid(Uuid::from_u128(it as u128 * 7919)))
            .collect();
        flows.sort_unstable();
        flows
    }

    /// Turns in which every flow wants more, and there are hands for so many; how often each was served.
    fn served(round: &mut Round, flows: &[FlowId], hands: u32, turns: usize) -> Vec<u32> {
        let mut served = vec![0; flows.len()];
        for _ in 0..turns {
            let looked_at = round.take((0..PARTITIONS).collect());
            let mut due = flows.to_vec();
            due.retain(|it| looked_at.contains(&it.partition()));
            round.arrange(&mut due);
            let wanted: Vec<FlowPermits> = due
                .iter()
                .map(|flow| FlowPermits {
                    flow: *flow,
                    permits: 100,
                })
                .collect();
            let given = share(&wanted, hands);
            for (flow, given) in due.iter().zip(&given) {
                let place = flows.binary_search(flow).unwrap();
                served[place] += given;
            }
            round.go_on(&looked_at, &wanted, &given);
        }
        served
    }

    #[test]
    fn every_flow_has_its_turn_however_many_wait_and_however_few_hands_there_are() {
        let flows = flows(1000);
        for hands in [1, 7, 60, 300, 999] {
            let mut round = Round::default();
            // It begins with a look at all; then it goes round twice.
            let turns = 2 * 1000_usize.div_ceil(hands as usize) + 64;
            let served = served(&mut round, &flows, hands, turns);
            assert!(served.iter().all(|it| *it >= 1), "{hands} hands");
            let (least, most) = (served.iter().min(), served.iter().max());
            assert!(
                most.unwrap() - least.unwrap() <= 3,
                "{hands}: {least:?} to {most:?}"
            );
        }
    }

    #[test]
    fn no_more_partitions_are_looked_at_than_there_are_hands_for() {
        let flows = flows(1000);
        let mut round = Round::default();
        served(&mut round, &flows, 30, 10);
        assert!(round.take((0..PARTITIONS).collect()).len() <= 2);
        // The crowd is gone: all are looked at again.
        for _ in 0..4 {
            let looked_at = round.take((0..PARTITIONS).collect());
            round.go_on(&looked_at, &wanted(&[5]), &[5]);
        }
        assert_eq!(round.take((0..PARTITIONS).collect()).len(), 16);
    }

    #[test]
    fn a_partition_that_was_left_in_the_middle_is_looked_at_again_from_its_beginning() {
        let flows = flows(64);
        let mut round = Round::default();
        let looked_at = round.take((0..PARTITIONS).collect());
        let mut due = flows.clone();
        assert_eq!(round.arrange(&mut due), None);
        let wanted: Vec<FlowPermits> = (due.iter())
            .map(|flow| FlowPermits {
                flow: *flow,
                permits: 1,
            })
            .collect();
        let mut given = vec![0; 64];
        given[..2].fill(1);
        round.go_on(&looked_at, &wanted, &given);
        let (first, left) = (due[0].partition(), due[2]);
        assert_eq!(due[1].partition(), left.partition());
        let mut due = flows;
        assert_eq!(round.arrange(&mut due), Some(first));
        assert_eq!(due[0], left);
        assert_eq!(due.len(), 62);
    }
}
