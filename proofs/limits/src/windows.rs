use std::time::Duration;

/// By how many events the worst of all windows is above `burst + rate * length`; below zero if none is.
///
/// A window from the event `i` to the event `j` holds `j - i + 1` of them. For each `j` the worst `i` is the one with the
/// least `i - rate * t(i)`, so one pass finds the worst of all pairs.
pub(crate) fn excess(at: &[Duration], per_second: f64, burst: f64) -> f64 {
    let (mut worst, mut least, mut place) = (f64::MIN, f64::MAX, 0.0);
    for instant in at {
        let height = place - per_second * instant.as_secs_f64();
        least = least.min(height);
        worst = worst.max(height - least + 1.0 - burst);
        place += 1.0;
    }
    worst
}

/// The most events in any window of this length.
pub(crate) fn busiest(at: &[Duration], length: Duration) -> usize {
    let (mut most, mut first) = (0, 0);
    for (last, instant) in at.iter().enumerate() {
        while at
            .get(first)
            .is_some_and(|from| instant.saturating_sub(*from) >= length)
        {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instants(millis: &[u64]) -> Vec<Duration> {
        millis.iter().map(|it| Duration::from_millis(*it)).collect()
    }

    #[test]
    fn a_burst_and_then_the_rate_is_just_within() {
        let mut at = vec![0; 5];
        at.extend((1..50).map(|n| n * 100));
        assert!(excess(&instants(&at), 10.0, 5.0).abs() < 1e-9);
    }

    #[test]
    fn one_more_than_the_burst_is_seen_wherever_it_is() {
        let mut at: Vec<u64> = (0..50).map(|n| n * 200).collect();
        at.extend([9_800; 5]);
        assert!((excess(&instants(&at), 10.0, 5.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_busiest_window_is_open_at_its_end() {
        let at = instants(&[0, 400, 999, 1_000, 1_400]);
        assert_eq!(busiest(&at, Duration::from_secs(1)), 3);
        assert_eq!(busiest(&[], Duration::from_secs(1)), 0);
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_all_pairs_do(
            gaps in prop::collection::vec(0..400_u64, 1..60),
            per_second in 0.5..50.0_f64,
            burst in 1..20_u32,
        ) {
            let mut millis = 0;
            let at: Vec<Duration> = gaps.iter().map(|gap| {
                millis += gap;
                Duration::from_millis(millis)
            }).collect();
            let mut worst = f64::MIN;
            for (first, from) in at.iter().enumerate() {
                for (count, to) in (1_u32..).zip(at.iter().skip(first)) {
                    let allowed = f64::from(burst) + per_second * to.saturating_sub(*from).as_secs_f64();
                    worst = worst.max(f64::from(count) - allowed);
                }
            }
            prop_assert!((excess(&at, per_second, f64::from(burst)) - worst).abs() < 1e-6);
        }
    }
}
