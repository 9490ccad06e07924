use domain::{WorkId, WorkKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version that is written. A reader of an older version refuses a newer one: it is redelivered
/// to a newer replica, or released again from the database.
const VERSION: u32 = 1;

/// Work rows that are due: a hint to claim them, nothing more. The rows are the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkBatch {
    pub kind: WorkKind,
    pub items: Vec<WorkItem>,
}

/// One work row, and the attempt at which it was released: a stale hint claims nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkItem {
    pub id: WorkId,
    pub attempt: i32,
}

/// Why bytes from the broker are not a work batch.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    #[error("unknown work batch version {0}, this reader knows {VERSION}")]
    UnknownVersion(u32),
    #[error("malformed work batch")]
    Malformed(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct Envelope {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    kind: WorkKind,
    items: Vec<(Uuid, i32)>,
}

impl WorkBatch {
    pub fn encode(&self) -> Vec<u8> {
        let wire = Wire {
            v: VERSION,
            kind: self.kind,
            items: self
                .items
                .iter()
                .map(|item| (item.id.as_uuid(), item.attempt))
                .collect(),
        };
        serde_json::to_vec(&wire).expect("a work batch has only string keys and finite numbers")
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, ContractError> {
        // The version first: what else a newer one looks like is unknown.
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(ContractError::Malformed)?;
        if envelope.v != VERSION {
            return Err(ContractError::UnknownVersion(envelope.v));
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(ContractError::Malformed)?;
        Ok(Self {
            kind: wire.kind,
            items: wire
                .items
                .into_iter()
                .map(|(id, attempt)| WorkItem {
                    id: WorkId::from_uuid(id),
                    attempt,
                })
                .collect(),
        })
    }
}
