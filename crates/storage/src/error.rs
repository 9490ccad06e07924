use sqlx::error::ErrorKind;

/// Why storage could not do what was asked; the variants say what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or will not answer: try again later, nothing was stored.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A constraint said no; its name tells which rule.
    #[error("constraint {constraint} refuses this row")]
    Constraint {
        constraint: String,
        #[source]
        source: sqlx::Error,
    },
    /// A row holds what this version cannot read.
    #[error("column {column} holds a value that this version does not know")]
    Unreadable { column: &'static str },
    /// What was asked for would do harm.
    #[error("{0}")]
    Refused(&'static str),
    #[error("the statement failed")]
    Statement(#[source] sqlx::Error),
    #[error("the migrations failed")]
    Migration(#[source] sqlx::migrate::MigrateError),
}

impl Error {
    /// The database did not answer in time; what it was told may have happened.
    pub fn silent() -> Self {
        Self::Unavailable(sqlx::Error::PoolTimedOut)
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The constraint that was violated, if that is what happened.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { constraint, .. } => Some(constraint),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if let Some(database) = error.as_database_error() {
            // Class 08: connection; 40: serialisation and deadlock; 53: resources; 57: shutdown, cancelled; 58: its disk;
            // 25006: read-only after a failover; 25P03: our transaction stood still; 55P03: a lock was not to be had.
            let code = database.code().unwrap_or_default().into_owned();
            if ["08", "40", "53", "57", "58", "25006", "25P03", "55P03"]
                .iter()
                .any(|class| code.starts_with(class))
            {
                return Self::Unavailable(error);
            }
            if !matches!(database.kind(), ErrorKind::Other)
                && let Some(constraint) = database.constraint().map(str::to_owned)
            {
                return Self::Constraint {
                    constraint,
                    source: error,
                };
            }
            return Self::Statement(error);
        }
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            other => Self::Statement(other),
        }
    }
}

/// Reads a text column as a type of the domain.
pub(crate) fn parse<T: std::str::FromStr>(column: &'static str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|_| Error::Unreadable { column })
}
