//! The `work` table: what must be done, not before an instant. The statements of the engine's life cycle
//! (`insert` → `release` → `claim` → `finish`; `claim_due` in place of the two in the middle), one file each. Knows nothing of what the work is.
//!
//! Time is the caller's `now`: replicas are expected to agree to within a fraction of a lease. What must hold even when
//! they do not (no work acted on twice) rests on the attempt number, not on clocks.

mod claim;
mod dead_letters;
mod finish;
mod hold;
mod insert;
mod ownership;
mod pauses;
mod release;
mod restart;

use chrono::{DateTime, Utc};
use domain::{FlowId, Lane, Losses, TenantId, WorkId, WorkKind};
use uuid::Uuid;

pub use claim::{ABANDONED_AT_ONCE, begin, claim, claim_abandoned, claim_due, reclaim_released};
pub use dead_letters::{
    DeadLetter, DeadLetterFilter, count_dead_letters, find_dead_letters, list_dead_letters, revive,
    take_dead_letters,
};
pub use finish::{Disposition, Finished, cancel, finish, list_begun, list_claimed};
pub use hold::{Wait, find_wait, lock_scope, resume};
pub use insert::{NewWork, insert, signal};
pub use ownership::{Ownership, hold_partitions, yield_partitions};
pub use pauses::{
    NewPause, Pause, forget_pauses, insert_pauses, lift_pauses, list_pauses, probe_held, try_pauses,
};
pub use release::{
    Candidate, FlowPermits, InFlight, WaitingFlow, count_released, list_in_flight,
    list_waiting_flows, pick_due, postpone, release,
};
pub use restart::{Locked, lock_work, restart};

/// Work in the hands of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub id: WorkId,
    pub kind: WorkKind,
    pub flow: FlowId,
    pub lane: Lane,
    pub subject: Uuid,
    pub tenant_id: Option<TenantId>,
    /// The number of this claim: what the claim's outcome is fenced by.
    pub attempt: i32,
    /// Earlier claims that failed by this work's own fault.
    pub failures: i32,
    /// Of earlier claims.
    pub losses: Losses,
    /// Whether the claim before this one may have been acted on outside.
    pub begun: bool,
    pub traceparent: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// Arrays for statements that say `$2[width_bucket(id, $1)]` of a row: what belongs to it, found by halves. A join with
/// `UNNEST` would compare each with each, as the planner expects one row (ADR 18).
/// An id that comes twice means the greater: of two claims of the same work the later.
fn by_id<T: Copy + Ord>(items: &[(WorkId, T)]) -> (Vec<Uuid>, Vec<T>) {
    let mut items = items.to_vec();
    items.sort_unstable();
    let items = items.into_iter().map(|(id, of_it)| (id.as_uuid(), of_it));
    items.unzip()
}
