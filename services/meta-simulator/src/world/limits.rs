use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};

/// Above this many pairs those without a debt are forgotten.
const PAIRS_KEPT: usize = 200_000;

/// The three limits on how fast a business may write, as Meta counts them.
pub(crate) struct Pace {
    pair_burst: u32,
    pair_interval: Duration,
    numbers: HashMap<String, Bucket>,
    pairs: HashMap<(String, String), Burst>,
    opened: HashMap<String, HashMap<String, DateTime<Utc>>>,
    started: DateTime<Utc>,
}

/// A number's throughput: one second's worth at once, then the rate.
struct Bucket {
    tokens: f64,
    at: DateTime<Utc>,
}

/// What was sent to one user since the last time nothing was owed.
#[derive(Clone, Copy)]
struct Burst {
    start: DateTime<Utc>,
    count: u32,
}

impl Pace {
    pub(crate) fn new(pair_burst: u32, pair_interval: Duration, now: DateTime<Utc>) -> Self {
        Self {
            pair_burst,
            pair_interval,
            numbers: HashMap::new(),
            pairs: HashMap::new(),
            opened: HashMap::new(),
            started: now,
        }
    }

    /// Takes one message out of the number's throughput; false when there is none left.
    pub(crate) fn take_number(
        &mut self,
        number: &str,
        per_second: u32,
        now: DateTime<Utc>,
    ) -> bool {
        let rate = f64::from(per_second);
        let bucket = self.numbers.entry(number.to_owned()).or_insert(Bucket {
            tokens: rate,
            at: self.started.min(now),
        });
        let elapsed = (now - bucket.at).to_std().unwrap_or_default();
        bucket.tokens = (bucket.tokens + elapsed.as_secs_f64() * rate).min(rate);
        bucket.at = now;
        let granted = bucket.tokens >= 1.0;
        if granted {
            bucket.tokens -= 1.0;
        }
        granted
    }

    /// One message per interval to one user. A burst may borrow from the future, and is paid back in full.
    pub(crate) fn take_pair(&mut self, number: &str, wa_id: &str, now: DateTime<Utc>) -> bool {
        let interval = self.pair_interval;
        if interval.is_zero() {
            return true;
        }
        if self.pairs.len() >= PAIRS_KEPT {
            self.pairs
                .retain(|_, burst| now < burst.start + interval * burst.count);
        }
        let key = (number.to_owned(), wa_id.to_owned());
        let Some(burst) = self.pairs.get_mut(&key) else {
            self.pairs.insert(
                key,
                Burst {
                    start: now,
                    count: 1,
                },
            );
            return true;
        };
        if now >= burst.start + interval * burst.count {
            *burst = Burst {
                start: now,
                count: 1,
            };
            return true;
        }
        let granted = now < burst.start + interval && burst.count < self.pair_burst;
        if granted {
            burst.count += 1;
        }
        granted
    }

    /// Counts users written to outside their window in 24 hours; one already counted costs nothing.
    pub(crate) fn take_portfolio(
        &mut self,
        portfolio: &str,
        wa_id: &str,
        limit: u32,
        now: DateTime<Utc>,
    ) -> bool {
        let day = Duration::from_hours(24);
        let opened = self.opened.entry(portfolio.to_owned()).or_default();
        opened.retain(|_, at| now < *at + day);
        if opened.contains_key(wa_id) {
            return true;
        }
        let granted = opened.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        if granted {
            opened.insert(wa_id.to_owned(), now);
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace::new(45, Duration::from_secs(6), DateTime::UNIX_EPOCH)
    }

    fn after(seconds: f64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_number_gets_one_second_at_once_and_then_its_rate() {
        let mut pace = pace();
        let granted = |pace: &mut Pace, seconds: f64| {
            (0..200)
                .filter(|_| pace.take_number("1", 80, after(seconds)))
                .count()
        };
        assert_eq!(
            [
                granted(&mut pace, 0.0),
                granted(&mut pace, 0.5),
                granted(&mut pace, 60.0)
            ],
            [80, 40, 80]
        );
    }

    #[test]
    fn one_user_gets_a_message_every_six_seconds() {
        let mut pace = pace();
        let granted = (0..10)
            .filter(|step| pace.take_pair("1", "91", after(f64::from(*step) * 6.0)))
            .count();
        assert_eq!(granted, 10);
        assert!(
            pace.take_pair("1", "92", after(54.0)),
            "another user is not affected"
        );
    }

    #[test]
    fn a_burst_of_twenty_is_paid_back_for_two_minutes() {
        let mut pace = pace();
        assert!((0..20).all(|_| pace.take_pair("1", "91", after(0.0))));
        assert!(!pace.take_pair("1", "91", after(7.0)));
        assert!(!pace.take_pair("1", "91", after(119.9)));
        assert!(pace.take_pair("1", "91", after(120.0)));
    }

    #[test]
    fn a_burst_ends_at_forty_five() {
        let mut pace = pace();
        assert_eq!(
            (0..60)
                .filter(|_| pace.take_pair("1", "91", after(1.0)))
                .count(),
            45
        );
    }

    #[test]
    fn the_portfolio_counts_users_not_messages() {
        let mut pace = pace();
        let mut take =
            |user: &str, hours: f64| pace.take_portfolio("p", user, 2, after(hours * 3600.0));
        let granted = [
            take("a", 0.0),
            take("a", 1.0),
            take("b", 2.0),
            take("c", 3.0),
            take("c", 24.5),
        ];
        assert_eq!(granted, [true, true, true, false, true]);
    }
}
