//! What services say to each other over the broker, and what callbacks say to a LIMS.
//! Versioned. Carries ids, never patient data. Knows no storage and no transport.

mod callback;
mod work;

pub use callback::{
    CallbackData, CallbackError, CallbackPayload, CallbackType, InboundKind, InboundReceived,
    MessageUpdate,
};
pub use work::{ContractError, WorkBatch, WorkItem};
