use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Timelike};
use domain::{Clock, MockClock, SystemClock};

#[test]
fn a_mock_clock_moves_only_when_told() {
    let clock = MockClock::default();
    let start = clock.now();
    assert_eq!(start.to_rfc3339(), "2026-01-01T00:00:00+00:00");
    assert_eq!((clock.now(), clock.monotonic()), (start, Duration::ZERO));

    clock.advance(Duration::from_secs(90));
    assert_eq!(clock.now() - start, TimeDelta::seconds(90));
    assert_eq!(clock.monotonic(), Duration::from_secs(90));
}

#[test]
fn stepping_the_wall_clock_back_leaves_monotonic_time_alone() {
    let clock = MockClock::default();
    let start = clock.now();
    clock.advance(Duration::from_secs(5));
    clock.set(start);
    assert_eq!(clock.now(), start);
    assert_eq!(clock.monotonic(), Duration::from_secs(5));
}

#[test]
fn a_shared_clock_is_a_clock() {
    let clock = Arc::new(MockClock::default());
    let shared: Arc<dyn Clock> = clock.clone();
    clock.advance(Duration::from_secs(1));
    assert_eq!(Clock::monotonic(&shared), Duration::from_secs(1));
}

#[test]
fn the_system_clock_reads_what_the_database_can_keep() {
    let clock = SystemClock;
    assert_eq!(clock.now().nanosecond() % 1000, 0);
    let earlier = clock.monotonic();
    assert!(SystemClock.monotonic() >= earlier);
}
