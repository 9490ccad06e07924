use std::time::Duration;

use domain::{InvalidRate, Rate, TokenBucket};
use proptest::prelude::*;
use rstest::rstest;

const START: Duration = Duration::from_secs(1_000);

fn rate(per_second: f64, burst: u32) -> Rate {
    Rate::new(per_second, burst).unwrap()
}

fn after(millis: u64) -> Duration {
    START + Duration::from_millis(millis)
}

/// The instants that the bucket computes are rounded up.
fn just_after(millis: u64) -> Duration {
    after(millis) + Duration::from_nanos(1)
}

#[rstest]
#[case(0.0, 1)]
#[case(-1.0, 1)]
#[case(f64::NAN, 1)]
#[case(f64::INFINITY, 1)]
#[case(1.0, 0)]
fn a_rate_at_which_nothing_passes_is_refused(#[case] per_second: f64, #[case] burst: u32) {
    assert_eq!(Rate::new(per_second, burst), Err(InvalidRate));
}

/// Who looks for each token, a little late, and sees only then that the permit before was used, gets the full rate of a
/// bucket that is not held up, and less of one that is.
#[rstest]
#[case(1, true)]
#[case(2, true)]
#[case(3, false)]
#[case(20, false)]
fn a_bucket_is_held_up_if_it_would_earn_more_by_being_told_of_use(
    #[case] burst: u32,
    #[case] held_up: bool,
) {
    let mut bucket = TokenBucket::empty(rate(10.0, burst), START);
    let mut taken = 0;
    let mut now = START;
    while now < after(10_000) {
        now = bucket.next_at(now) + Duration::from_millis(50);
        if bucket.available(now, 0) > 0 {
            bucket.take(1);
            taken += 1;
            assert_eq!(bucket.is_held_up(), held_up);
        }
    }
    assert_eq!(taken < 99, held_up, "{taken} of 100");
}

#[test]
fn a_full_bucket_gives_its_burst_and_then_its_rate() {
    let mut bucket = TokenBucket::full(rate(10.0, 5), START);
    assert_eq!(bucket.available(START, 0), 5);
    bucket.take(5);
    assert_eq!(bucket.available(START, 0), 0);
    assert_eq!(bucket.available(after(99), 0), 0);
    assert_eq!(bucket.available(after(100), 0), 1);
    assert_eq!(bucket.available(after(60_000), 0), 5);
}

#[test]
fn a_bucket_is_at_rest_when_what_it_gave_is_used_and_earned_again() {
    let used_within = Duration::from_mins(1);
    let mut bucket = TokenBucket::full(rate(10.0, 5), START);
    assert!(bucket.is_at_rest(START, used_within));
    bucket.available(START, 0);
    bucket.take(5);
    // Nobody has said that they are used: they may still be after a minute.
    assert!(!bucket.is_at_rest(after(60_499), used_within));
    assert!(bucket.is_at_rest(just_after(60_500), used_within));
    // They were, just now at the latest.
    bucket.available(after(100), 0);
    assert!(!bucket.is_at_rest(after(599), used_within));
    assert!(bucket.is_at_rest(just_after(600), used_within));
}

#[test]
fn an_empty_bucket_has_to_earn_its_burst() {
    let mut bucket = TokenBucket::empty(rate(10.0, 5), START);
    assert_eq!(bucket.available(START, 0), 0);
    assert_eq!(bucket.available(after(200), 0), 2);
}

#[test]
fn unused_permits_leave_no_room_for_new_ones() {
    let mut bucket = TokenBucket::full(rate(10.0, 5), START);
    bucket.take(4);
    assert_eq!(bucket.available(after(60_000), 4), 1);
    assert_eq!(bucket.available(after(60_000), 9), 0);
}

#[test]
fn a_permit_used_between_two_looks_counts_as_unused_until_the_second() {
    let mut bucket = TokenBucket::full(rate(10.0, 5), START);
    bucket.take(5);
    assert_eq!(bucket.available(after(60_000), 0), 0);
    assert_eq!(bucket.available(after(60_100), 0), 1);
}

#[test]
fn taking_more_than_there_is_leaves_a_debt() {
    let mut bucket = TokenBucket::full(rate(10.0, 5), START);
    bucket.take(7);
    assert_eq!(bucket.available(START, 0), 0);
    assert_eq!(bucket.next_at(START), just_after(300));
    assert_eq!(bucket.available(after(300), 0), 1);
}

#[test]
fn a_cooled_bucket_starts_from_empty_when_it_may_go_on() {
    let mut bucket = TokenBucket::full(rate(10.0, 5), START);
    bucket.cool_until(after(1_000));
    assert_eq!(bucket.available(after(999), 0), 0);
    assert_eq!(bucket.next_at(after(999)), just_after(1_100));
    assert_eq!(bucket.available(after(1_000), 0), 0);
    assert_eq!(bucket.available(after(1_200), 0), 2);
}

#[test]
fn a_shorter_cooling_does_not_end_a_longer_one() {
    let mut bucket = TokenBucket::full(rate(10.0, 5), START);
    bucket.cool_until(after(1_000));
    bucket.cool_until(after(10));
    assert_eq!(bucket.available(after(999), 0), 0);
}

#[test]
fn a_new_rate_counts_from_its_instant() {
    let mut bucket = TokenBucket::empty(rate(10.0, 50), START);
    bucket.set_rate(rate(100.0, 50), after(100));
    assert_eq!(bucket.available(after(110), 0), 2);
    bucket.set_rate(rate(1.0, 1), after(400));
    assert_eq!(bucket.available(after(400), 0), 1);
    assert_eq!(bucket.rate(), rate(1.0, 1));
}

#[test]
fn time_that_goes_back_earns_nothing() {
    let mut bucket = TokenBucket::empty(rate(10.0, 5), after(1_000));
    assert_eq!(bucket.available(START, 0), 0);
    assert_eq!(bucket.available(after(1_100), 0), 1);
}

#[test]
fn a_rate_too_slow_for_the_clock_waits_for_ever() {
    let bucket = TokenBucket::empty(rate(f64::MIN_POSITIVE, 1), START);
    assert_eq!(bucket.next_at(START), Duration::MAX);
}

#[derive(Debug, Clone)]
enum Step {
    Idle(u64),
    /// Looks, then takes at most that many of what is available.
    Take(u32),
    /// That many permits are used now, without a look.
    Use(u32),
    Cool(u64),
    /// Takes a number of what is available and gives some of them back unused.
    Return(u32),
    /// The bucket is lost with all that it knew, and another begins with what is seen to be unused.
    TakeOver,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..40_u64).prop_map(Step::Idle),
        1 => (0..3_000_u64).prop_map(Step::Idle),
        4 => (0..30_u32).prop_map(Step::Take),
        4 => (0..30_u32).prop_map(Step::Use),
        1 => (0..200_u64).prop_map(Step::Cool),
        1 => (0..30_u32).prop_map(Step::Return),
        1 => Just(Step::TakeOver),
    ]
}

/// Plays the steps and returns at which millisecond each permit was used.
fn play(bucket: &mut TokenBucket, steps: &[Step]) -> Vec<u64> {
    let (mut now, mut outstanding, mut used) = (0, 0_u32, Vec::new());
    for step in steps {
        match step {
            Step::Idle(millis) => now += millis,
            Step::Cool(millis) => bucket.cool_until(after(now + millis)),
            Step::Return(most) => {
                let taken = bucket.available(after(now), outstanding).min(*most);
                bucket.take(taken);
                bucket.put_back(taken / 2);
                outstanding += taken - taken / 2;
            }
            Step::TakeOver => {
                *bucket = TokenBucket::taken_over(bucket.rate(), after(now), outstanding);
            }
            Step::Take(most) => {
                let taken = bucket.available(after(now), outstanding).min(*most);
                bucket.take(taken);
                outstanding += taken;
            }
            Step::Use(most) => {
                let count = outstanding.min(*most);
                outstanding -= count;
                used.extend((0..count).map(|_| now));
            }
        }
    }
    used
}

/// The window in which most was used beyond what its length allows, in permits.
fn worst_excess(used: &[u64], rate: Rate) -> f64 {
    let mut worst = f64::MIN;
    for (first, start) in used.iter().enumerate() {
        for (count, end) in (1_u32..).zip(used.iter().skip(first)) {
            let window = Duration::from_millis(end - start).as_secs_f64();
            let allowed = f64::from(rate.burst()) + rate.per_second() * window;
            worst = worst.max(f64::from(count) - allowed);
        }
    }
    worst
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_window_sees_more_than_burst_and_rate(
        per_second in 0.1..200.0_f64,
        burst in 1..30_u32,
        full: bool,
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let rate = rate(per_second, burst);
        let mut bucket = if full { TokenBucket::full(rate, START) } else { TokenBucket::empty(rate, START) };
        let used = play(&mut bucket, &steps);
        prop_assert!(worst_excess(&used, rate) <= 1e-6, "{used:?}");
    }

    #[test]
    fn the_next_token_is_there_when_promised_and_not_before(
        per_second in 0.01..5_000.0_f64,
        burst in 1..50_u32,
        idle in 0..1_000_u64,
    ) {
        let mut bucket = TokenBucket::full(rate(per_second, burst), START);
        bucket.take(burst);
        bucket.available(after(idle), 0);
        bucket.available(after(idle), 0);
        let next = bucket.next_at(after(idle));
        if next > after(idle) {
            let before = next.checked_sub(Duration::from_micros(1)).unwrap();
            prop_assert_eq!(bucket.clone().available(before.max(after(idle)), 0), 0);
        }
        prop_assert!(bucket.available(next, 0) >= 1);
    }

    #[test]
    fn under_saturation_the_rate_is_used(
        per_second in 1.0..200.0_f64,
        tick in 1..50_u64,
        latency in 0..200_u64,
        spare in 1..10_u32,
    ) {
        let room = per_second * Duration::from_millis(latency + 2 * tick).as_secs_f64();
        let burst = u32::try_from(Duration::from_secs_f64(room).as_secs()).unwrap() + 1 + spare;
        let mut bucket = TokenBucket::empty(rate(per_second, burst), START);
        let (end, mut unused, mut used) = (60_000, Vec::new(), 0_u32);
        for now in (0..end).step_by(usize::try_from(tick).unwrap()) {
            let before = unused.len();
            unused.retain(|taken_at| now - taken_at < latency);
            used += u32::try_from(before - unused.len()).unwrap();
            let outstanding = u32::try_from(unused.len()).unwrap();
            let taken = bucket.available(after(now), outstanding);
            bucket.take(taken);
            unused.extend((0..taken).map(|_| now));
        }
        let possible = per_second * Duration::from_millis(end - latency - tick).as_secs_f64();
        prop_assert!(f64::from(used) >= 0.95 * possible - 1.0, "{used} of {possible}");
    }
}

#[test]
fn without_any_burst_the_rate_is_used_by_looking_after_each_use() {
    let mut bucket = TokenBucket::empty(rate(4.0, 1), START);
    let (mut now, mut used) = (START, 0);
    while now <= after(60_000) {
        if bucket.available(now, 0) == 1 {
            bucket.take(1);
            used += 1;
            bucket.available(now, 0);
        }
        now = bucket.next_at(now);
    }
    assert!((239..=241).contains(&used), "{used}");
}
