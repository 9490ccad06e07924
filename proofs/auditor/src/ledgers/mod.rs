//! What each party says, as it wrote it down: the plan of the run, the LIMS, the provider, the callback receiver, the
//! operator, the database. Owns the formats; must not judge.

mod database;
mod error;
mod files;
mod plan;
mod rows;
mod witnesses;

use std::path::Path;

use secrecy::SecretString;

pub use error::LedgerError;
pub use plan::{Episode, Fault, Lab, Policy, Run};
pub use rows::{DeadLetterRow, DeliveryRow, KeyRow, MessageRow, Rows, State, TimelineRow, WorkRow};
pub use witnesses::{
    Answer, Decision, Expectation, Headers, OperatorDecision, Post, Posted, ProviderStatus, Send,
    StatusName,
};

/// All that is compared.
#[derive(Debug, Clone, Default)]
pub struct Ledgers {
    pub run: Run,
    pub lims: Vec<Posted>,
    pub provider: Vec<Send>,
    pub callbacks: Vec<Post>,
    pub operator: Vec<OperatorDecision>,
    pub database: Rows,
}

impl Ledgers {
    /// Reads the files of a run and the database that it left.
    pub async fn read(folder: &Path, database_url: &SecretString) -> Result<Self, LedgerError> {
        let mut ledgers = files::read(folder)?;
        ledgers.database = database::read(database_url).await?;
        Ok(ledgers)
    }
}
