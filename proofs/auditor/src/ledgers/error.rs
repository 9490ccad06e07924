/// A ledger that cannot be read: nothing can be said about the run.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{file} cannot be read: {reason}")]
    File {
        file: &'static str,
        reason: std::io::Error,
    },
    #[error("{file}, line {line}: {reason}")]
    Line {
        file: &'static str,
        line: usize,
        reason: String,
    },
    #[error("the database cannot be read: {0}")]
    Database(sqlx::Error),
}
