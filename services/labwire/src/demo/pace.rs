use std::time::Duration;

use chrono::{DateTime, Utc};

/// A send that was released in time may be this late when the provider sees it, and so close to the next.
const JITTER: Duration = Duration::from_millis(400);

/// Most sends that the provider saw within one second.
pub(super) fn busiest_second(instants: &[DateTime<Utc>]) -> usize {
    windows(instants)
        .filter(|(_, elapsed)| *elapsed < 1.0)
        .map(|(count, _)| count)
        .max()
        .unwrap_or_default()
}

/// Whether every stretch of time saw at most a burst and, for its length, the rate.
pub(super) fn is_kept(instants: &[DateTime<Utc>], rate_per_second: u32, burst: u32) -> bool {
    windows(instants).all(|(count, elapsed)| {
        let seconds = elapsed + JITTER.as_secs_f64();
        let allowed = f64::from(burst) + f64::from(rate_per_second) * seconds;
        u32::try_from(count).is_ok_and(|count| f64::from(count) <= allowed)
    })
}

/// Each stretch from one send to another: how many sends, how many seconds.
fn windows(instants: &[DateTime<Utc>]) -> impl Iterator<Item = (usize, f64)> {
    let mut sorted = instants.to_vec();
    sorted.sort_unstable();
    (0..sorted.len()).flat_map(move |first| {
        let rest = sorted.get(first..).unwrap_or_default().to_vec();
        let start = rest.first().copied();
        rest.into_iter().enumerate().filter_map(move |(index, at)| {
            let elapsed = (at - start?).to_std().unwrap_or_default();
            Some((index + 1, elapsed.as_secs_f64()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(count: u32, interval_ms: u64) -> Vec<DateTime<Utc>> {
        let start = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);
        (0..count)
            .map(|index| start + Duration::from_millis(interval_ms) * index)
            .collect()
    }

    #[test]
    fn a_burst_and_then_the_rate_are_within_the_limit() {
        let mut sends = every(4, 0);
        sends.extend(every(20, 500).into_iter().skip(1));
        assert!(is_kept(&sends, 2, 4));
        assert_eq!(busiest_second(&sends), 5);
    }

    #[test]
    fn more_than_the_rate_is_seen_in_the_long_run() {
        assert!(!is_kept(&every(20, 300), 2, 2));
    }

    #[test]
    fn everything_at_once_is_seen() {
        assert!(!is_kept(&every(20, 1), 5, 3));
        assert_eq!(busiest_second(&every(20, 1)), 20);
    }

    #[test]
    fn nothing_sent_is_within_any_limit() {
        assert!(is_kept(&[], 1, 1));
        assert_eq!(busiest_second(&[]), 0);
    }
}
