use std::time::Duration;

use crate::{clock::Clock, seed::Seed};

/// How a simulator behaves from its start. The defaults are quick, so that tests and demos are.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub seed: Seed,
    pub timing: Timing,
    pub limits: Limits,
    pub webhooks: Webhooks,
    pub clock: Clock,
}

/// How long things take that at Meta take seconds or hours. Each is counted from the accepted send.
#[derive(Clone, Debug)]
pub struct Timing {
    pub sent: Duration,
    pub delivered: Duration,
    pub read: Duration,
    pub failed: Duration,
    /// From creating a template to its approval or rejection.
    pub template_review: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            sent: Duration::from_millis(30),
            delivered: Duration::from_millis(80),
            read: Duration::from_millis(150),
            failed: Duration::from_millis(60),
            template_review: Duration::from_millis(200),
        }
    }
}

/// What may be held in memory and how fast one user may be written to.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Messages to one user that may be sent at once, borrowed from the future.
    pub pair_burst: u32,
    /// One message to one user each so long.
    pub pair_interval: Duration,
    /// Conversations kept for the phone page; the oldest go first.
    pub conversations: usize,
    /// Messages kept of one conversation.
    pub messages_per_conversation: usize,
    /// Entries the ledger keeps in full. Its counts are kept for ever.
    pub ledger_entries: usize,
    /// Bytes of media kept; the oldest go first.
    pub media_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pair_burst: 45,
            pair_interval: Duration::from_secs(6),
            conversations: 10_000,
            messages_per_conversation: 500,
            ledger_entries: 200_000,
            media_bytes: 256 * 1024 * 1024,
        }
    }
}

/// How webhooks leave: seven days of retries at Meta are ten minutes here.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// Updates put into one POST when that many are due.
    pub max_batch: usize,
    /// POSTs under way at once to one callback.
    pub in_flight: usize,
    pub timeout: Duration,
    /// Whether a connection serves several POSTs. Without, they spread over all that stand behind one address.
    pub keep_alive: bool,
    /// The first wait after an answer that is not 200; each later one is twice as long.
    pub retry_first: Duration,
    pub retry_longest: Duration,
    pub give_up_after: Duration,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            max_batch: 100,
            in_flight: 64,
            timeout: Duration::from_secs(10),
            keep_alive: true,
            retry_first: Duration::from_millis(250),
            retry_longest: Duration::from_secs(10),
            give_up_after: Duration::from_mins(10),
        }
    }
}
