//! Judges a run under faults: compares what the LIMS, the provider, the callback receiver and the operator wrote down with
//! what the database says. Owns its own reading of every format; must not know the pipeline's code, so that it cannot
//! share its mistakes.

mod audit;
mod callbacks;
mod ids;
mod ledgers;
mod table;
mod verdict;

pub use audit::audit;
pub use ids::{DeliveryId, InvalidId, LabId, MessageId};
pub use ledgers::{
    Answer, DeadLetterRow, Decision, DeliveryRow, Episode, Expectation, Fault, Headers, KeyRow,
    Lab, LedgerError, Ledgers, MessageRow, OperatorDecision, Policy, Post, Posted, ProviderStatus,
    Rows, Run, Send, State, StatusName, TimelineRow, WorkRow,
};
pub use verdict::{Breach, Kind, Says, Tally, Verdict};
