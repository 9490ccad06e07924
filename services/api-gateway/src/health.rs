use std::{convert::Infallible, time::Duration};

use attachments::{AttachmentStore, ObjectKey};
use bytes::Bytes;
use futures::stream;
use storage::Database;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use uuid::Uuid;
use vault::{DataKey, KeyRing};

/// Anybody may ask, so asking more often than this costs nothing.
const LIFETIME: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(3);
/// The smallest file that the store takes.
const PROBE: Bytes = Bytes::from_static(b"%PDF-1.7");

/// Whether what the gateway depends on works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Findings {
    pub(crate) database: bool,
    pub(crate) file_storage: bool,
}

/// Looks after the gateway's dependencies: the database is asked, a file is written and removed.
pub(crate) struct Health {
    database: Database,
    files: AttachmentStore,
    probe: ObjectKey,
    probe_key: DataKey,
    last: Mutex<Option<(Findings, Instant)>>,
}

impl Health {
    pub(crate) fn new(database: Database, files: AttachmentStore, ring: &KeyRing) -> Self {
        let (probe_key, _) = ring.new_data_key(Uuid::nil());
        Self {
            database,
            files,
            // Each process has its own, so that replicas do not remove each other's.
            probe: ObjectKey::new(Uuid::nil(), Uuid::new_v4()),
            probe_key,
            last: Mutex::new(None),
        }
    }

    pub(crate) async fn check(&self) -> Findings {
        // Held while looking: who asks meanwhile gets the same answer.
        let mut last = self.last.lock().await;
        if let Some((findings, at)) = *last
            && at.elapsed() < LIFETIME
        {
            return findings;
        }
        let (database, file_storage) = tokio::join!(self.check_database(), self.check_files());
        let findings = Findings {
            database,
            file_storage,
        };
        *last = Some((findings, Instant::now()));
        findings
    }

    async fn check_database(&self) -> bool {
        matches!(timeout(PATIENCE, self.database.ping()).await, Ok(Ok(())))
    }

    async fn check_files(&self) -> bool {
        let probe = async {
            let body = stream::iter([Ok::<_, Infallible>(PROBE)]);
            let limit = PROBE.len() as u64;
            let stored = self
                .files
                .put(&self.probe, &self.probe_key, body, limit)
                .await;
            stored.is_ok() && self.files.delete(&self.probe).await.is_ok()
        };
        timeout(PATIENCE, probe).await.unwrap_or(false)
    }
}
