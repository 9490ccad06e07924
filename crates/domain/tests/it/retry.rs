use std::time::Duration;

use domain::{InvalidSchedule, RetrySchedule};
use proptest::prelude::*;
use rstest::rstest;

const NO_JITTER: f64 = 0.5;

fn delays(schedule: &RetrySchedule) -> Vec<u64> {
    (1..)
        .map_while(|attempt| schedule.delay(attempt, NO_JITTER))
        .map(|delay| delay.as_secs())
        .collect()
}

#[test]
fn callbacks_are_tried_for_three_days_and_a_bit() {
    let delays = delays(&RetrySchedule::callbacks());
    assert_eq!(
        delays,
        [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    );
    let hours = delays.iter().sum::<u64>() / 3_600;
    assert!((74..=76).contains(&hours), "{hours} h");
}

#[test]
fn sends_are_tried_eight_times() {
    assert_eq!(delays(&RetrySchedule::sends()), [1, 3, 9, 27, 81, 243, 600]);
}

#[test]
fn events_are_tried_twelve_times() {
    assert_eq!(
        delays(&RetrySchedule::events()),
        [1, 4, 16, 64, 256, 900, 900, 900, 900, 900, 900]
    );
}

#[rstest]
#[case(0.0, 8.0)]
#[case(0.5, 10.0)]
#[case(1.0, 12.0)]
#[case::out_of_range(7.0, 12.0)]
fn jitter_moves_a_delay_by_a_fifth(#[case] jitter: f64, #[case] seconds: f64) {
    let schedule = RetrySchedule::steps(vec![Duration::from_secs(10)]).unwrap();
    let delay = schedule.delay(1, jitter).unwrap().as_secs_f64();
    assert!((delay - seconds).abs() < 1e-6, "{delay}");
}

#[rstest]
#[case(0, 2.0, 10, 3, InvalidSchedule::NoFirstDelay)]
#[case(1, 0.9, 10, 3, InvalidSchedule::ShrinkingFactor)]
#[case(1, f64::NAN, 10, 3, InvalidSchedule::ShrinkingFactor)]
#[case(1, f64::INFINITY, 10, 3, InvalidSchedule::ShrinkingFactor)]
#[case(11, 2.0, 10, 3, InvalidSchedule::MaxBelowFirst)]
#[case(1, 2.0, 10, 0, InvalidSchedule::NoAttempts)]
fn a_schedule_that_makes_no_sense_is_refused(
    #[case] first: u64,
    #[case] factor: f64,
    #[case] max: u64,
    #[case] attempts: u32,
    #[case] reason: InvalidSchedule,
) {
    let (first, max) = (Duration::from_secs(first), Duration::from_secs(max));
    assert_eq!(
        RetrySchedule::exponential(first, factor, max, attempts),
        Err(reason)
    );
}

#[test]
fn empty_steps_are_refused() {
    let refused = Err(InvalidSchedule::EmptyStep);
    assert_eq!(RetrySchedule::steps(vec![]), refused);
    assert_eq!(RetrySchedule::steps(vec![Duration::ZERO]), refused);
}

proptest! {
    #[test]
    fn delays_grow_to_the_maximum_and_end(
        first in 1..100_000_u64,
        factor in 1.0..1e6_f64,
        extra in 0..1_000_000_u64,
        attempts in 1..200_u32,
        attempt in 1..300_u32,
        jitter in 0.0..1.0_f64,
    ) {
        let (first, max) = (Duration::from_millis(first), Duration::from_millis(first + extra));
        let schedule = RetrySchedule::exponential(first, factor, max, attempts).unwrap();
        match schedule.delay(attempt, jitter) {
            None => prop_assert!(attempt >= attempts),
            Some(delay) => {
                prop_assert!(attempt < attempts);
                prop_assert!(delay >= first.mul_f64(0.799_999) && delay <= max.mul_f64(1.200_001));
                if let Some(next) = schedule.delay(attempt + 1, jitter) {
                    prop_assert!(next >= delay);
                }
            }
        }
    }
}
