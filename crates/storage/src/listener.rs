use std::{str::FromStr, time::Duration};

use domain::WorkKind;
use sqlx::postgres::PgListener;
use tokio::time::timeout;

use crate::{Database, Error, Result};

pub(crate) const CHANNEL: &str = "labwire_work";
/// After so long without a word it is asked whether anybody is still there.
const SILENCE: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(5);

/// What those who share a kind of work tell each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkSignal {
    pub kind: WorkKind,
    pub news: News,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// There may be work in this partition.
    Work(i16),
    /// Work of this partition came to its end: there is room for what waited for that.
    Room(i16),
    /// There may be partitions to take, or to give up.
    Owners,
}

impl WorkSignal {
    pub(crate) fn payload(self) -> String {
        let kind = self.kind.as_str();
        match self.news {
            News::Work(partition) => format!("{kind}:{partition}"),
            News::Room(partition) => format!("{kind}:room:{partition}"),
            News::Owners => format!("{kind}:owners"),
        }
    }

    fn parse(payload: &str) -> Option<Self> {
        let (kind, news) = payload.split_once(':')?;
        let news = match (news, news.strip_prefix("room:")) {
            ("owners", _) => News::Owners,
            (_, Some(partition)) => News::Room(partition.parse().ok()?),
            (partition, None) => News::Work(partition.parse().ok()?),
        };
        let kind = WorkKind::from_str(kind).ok()?;
        Some(Self { kind, news })
    }
}

/// Hears of new work. A signal can be lost (a dropped connection), so a listener also looks for itself now and then.
#[derive(Debug)]
pub struct WorkListener {
    listener: PgListener,
}

impl WorkListener {
    pub async fn connect(database: &Database) -> Result<Self> {
        let mut listener = PgListener::connect_with(database.pool()).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self { listener })
    }

    /// The next signal; `None` when the connection was lost and made anew, so signals may have been missed.
    pub async fn next(&mut self) -> Result<Option<WorkSignal>> {
        loop {
            if let Ok(heard) = timeout(SILENCE, self.listener.try_recv()).await {
                return Ok(heard?.and_then(|it| WorkSignal::parse(it.payload())));
            }
            let asked = sqlx::query("SELECT 1").execute(&mut self.listener);
            timeout(PATIENCE, asked)
                .await
                .map_err(|_| Error::silent())??;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_heard() {
        for news in [News::Work(7), News::Room(7), News::Owners] {
            let kind = WorkKind::Send;
            let signal = WorkSignal { kind, news };
            assert_eq!(WorkSignal::parse(&signal.payload()), Some(signal));
        }
        assert_eq!(WorkSignal::parse("send:somewhere"), None);
    }
}
