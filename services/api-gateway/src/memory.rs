use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::TenantId;
use http::{HeaderMap, header};
use service_runtime::config::ByteSize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const UNIT: u64 = 1024;
/// A JSON body is in memory as bytes and as text, a streamed file in the parts being written.
const COPIES: u64 = 2;
/// One lab with slow uploads must leave room for the others.
const LABS_AT_LEAST: u32 = 4;
/// Labs that are remembered without an upload of theirs under way.
const KEPT: usize = 1_000;

/// Bounds the memory of all uploads together, and each lab's part of it; who finds it spent waits for its turn.
pub(crate) struct UploadMemory {
    units: Arc<Semaphore>,
    share: u32,
    labs: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

/// Held while the body is in memory.
pub(crate) struct Reservation {
    _share: OwnedSemaphorePermit,
    _units: OwnedSemaphorePermit,
}

impl UploadMemory {
    pub(crate) fn new(size: ByteSize) -> Self {
        let total = u32::try_from(size.bytes() / UNIT).unwrap_or(u32::MAX);
        let share = (total / LABS_AT_LEAST).max(1);
        Self {
            units: Arc::new(semaphore(total.max(1))),
            share,
            labs: Mutex::default(),
        }
    }

    /// Takes what a body of the announced length may need; of an unknown one, what the largest may.
    pub(crate) async fn reserve(
        &self,
        lab: TenantId,
        headers: &HeaderMap,
        limit_bytes: u64,
    ) -> Reservation {
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let bytes = announced.unwrap_or(limit_bytes).min(limit_bytes);
        let units = u32::try_from(bytes.saturating_mul(COPIES) / UNIT + 1).unwrap_or(u32::MAX);
        // More than its share no lab can have: such a body comes alone.
        let units = units.min(self.share);
        let never_closed = "the semaphore is never closed";
        // The lab's own first, so that its waiting uploads hold nothing of what is common.
        let share = self.share_of(lab).acquire_many_owned(units).await;
        let common = Arc::clone(&self.units).acquire_many_owned(units).await;
        Reservation {
            _share: share.expect(never_closed),
            _units: common.expect(never_closed),
        }
    }

    fn share_of(&self, lab: TenantId) -> Arc<Semaphore> {
        let mut labs = self.labs.lock().unwrap_or_else(PoisonError::into_inner);
        if labs.len() >= KEPT {
            labs.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let share = labs
            .entry(lab)
            .or_insert_with(|| Arc::new(semaphore(self.share)));
        Arc::clone(share)
    }
}

fn semaphore(units: u32) -> Semaphore {
    let units = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS);
    Semaphore::new(units.min(Semaphore::MAX_PERMITS))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    const LAB: TenantId = TenantId::from_uuid(Uuid::from_u128(1));
    const OTHER: TenantId = TenantId::from_uuid(Uuid::from_u128(2));

    fn announcing(bytes: u64) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_LENGTH, bytes.into())])
    }

    #[test]
    fn a_lab_that_has_spent_its_share_waits_and_the_others_do_not() {
        let memory = UploadMemory::new(ByteSize::from_bytes(64 * UNIT));
        let large = announcing(8 * UNIT - 1);
        let held = memory.reserve(LAB, &large, u64::MAX).now_or_never();
        assert!(held.is_some());
        let mut second = pin!(memory.reserve(LAB, &large, u64::MAX));
        assert!(second.as_mut().now_or_never().is_none());
        let other = memory.reserve(OTHER, &large, u64::MAX).now_or_never();
        assert!(other.is_some());
        drop(held);
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn a_body_larger_than_the_share_comes_alone_and_one_of_unknown_length_counts_as_the_largest() {
        let memory = UploadMemory::new(ByteSize::from_bytes(64 * UNIT));
        let unknown = HeaderMap::new();
        let held = memory.reserve(LAB, &unknown, 1000 * UNIT).now_or_never();
        assert!(held.is_some());
        let small = announcing(1);
        let small = memory.reserve(LAB, &small, u64::MAX).now_or_never();
        assert!(small.is_none());
    }

    #[test]
    fn the_labs_together_have_no_more_than_there_is() {
        let memory = UploadMemory::new(ByteSize::from_bytes(64 * UNIT));
        let reserve = |lab| {
            let lab = TenantId::from_uuid(Uuid::from_u128(lab));
            let limit = 1000 * UNIT;
            memory.reserve(lab, &HeaderMap::new(), limit).now_or_never()
        };
        let held: Vec<_> = (0..4).map(reserve).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(reserve(5).is_none());
    }
}
