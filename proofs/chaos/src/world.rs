use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use stage::{Lab, Plan, Platform, Policy, Servers, Service};
use tokio::{sync::Mutex, time::Instant};

/// Labs that take part: half of them want an unconfirmed send repeated.
const LABS: usize = 24;
/// What a report's file holds that must end its sender's handler.
pub(crate) const POISON_FILE: &str = "poison-for-the-sender";
/// What an event holds that must end its reader.
pub(crate) const POISON_EVENT: &str = "poison-for-the-status-worker";
const DISK_MEGABYTES: u32 = 256;

/// The platform, and what the faults of a run share.
pub(crate) struct World {
    pub(crate) platform: Platform,
    /// The disk that report files are on.
    pub(crate) disk: PathBuf,
    /// Until then something that was injected may still come.
    tail: Mutex<Instant>,
}

impl World {
    pub(crate) async fn set_up(servers: Servers, folder: &Path) -> anyhow::Result<Arc<Self>> {
        let disk = PathBuf::from(servers.disk(DISK_MEGABYTES).await?);
        let files = disk.join("files");
        std::fs::create_dir_all(&files)?;
        let plan = Plan {
            labs: (0..LABS).map(lab).collect(),
            replicas: |_| 2,
            settings: settings(),
            files,
            folder: folder.to_owned(),
            relays: true,
        };
        Ok(Arc::new(Self {
            platform: Platform::start(plan, servers).await?,
            disk,
            tail: Mutex::new(Instant::now()),
        }))
    }

    pub(crate) fn replicas(&self, service: Service) -> &[stage::Replica] {
        self.platform.replicas(service)
    }

    /// What was injected now has its last effect after so long.
    pub(crate) async fn expect_effects_for(&self, duration: Duration) {
        let mut tail = self.tail.lock().await;
        *tail = tail.max(Instant::now() + duration);
    }

    /// When the last effect of all faults is over.
    pub(crate) async fn over_at(&self) -> Instant {
        *self.tail.lock().await
    }
}

fn lab(index: usize) -> Lab {
    Lab {
        index,
        rate_per_second: 20,
        burst: 10,
        policy: if index.is_multiple_of(2) {
            Policy::Park
        } else {
            Policy::Resend
        },
    }
}

/// Short waits everywhere: what takes minutes in production is to happen many times in a run.
fn settings() -> Vec<(&'static str, String)> {
    let settings = [
        ("LABWIRE_POSTGRES__MAX_CONNECTIONS", "8"),
        ("LABWIRE_POSTGRES__ACQUIRE_TIMEOUT", "2s"),
        ("LABWIRE_AMQP__PUBLISH_TIMEOUT", "2s"),
        // So little that much goes by the broker, too.
        ("LABWIRE_ENGINE__KEEPS", "2"),
        ("LABWIRE_ENGINE__RELEASE_LEASE", "2s"),
        ("LABWIRE_ENGINE__PARTITION_LEASE", "4s"),
        ("LABWIRE_ENGINE__POLL", "500ms"),
        ("LABWIRE_ENGINE__STORE_TIMEOUT", "4s"),
        ("LABWIRE_GRAPH__TIMEOUT", "3s"),
        ("LABWIRE_SENDER__CLAIM_LEASE", "8s"),
        ("LABWIRE_SENDER__UNCONFIRMED_GRACE", "8s"),
        ("LABWIRE_SENDER__ECHO_WAIT", "3s"),
        ("LABWIRE_SENDER__CREDENTIAL_PAUSE", "1s"),
        ("LABWIRE_SENDER__ACCOUNT_PAUSE", "1s"),
        ("LABWIRE_SENDER__TEMPLATE_PAUSE", "1s"),
        ("LABWIRE_SENDER__LONGEST_PAUSE", "3s"),
        ("LABWIRE_SENDER__PAIR_RATE", "100"),
        ("LABWIRE_EVENTS__CLAIM_LEASE", "6s"),
        ("LABWIRE_CALLBACKS__TIMEOUT", "3s"),
        ("LABWIRE_CALLBACKS__CLAIM_LEASE", "6s"),
        (
            "LABWIRE_CALLBACKS__SCHEDULE",
            "250ms,500ms,1s,2s,4s,4s,4s,4s,4s,4s,4s,4s",
        ),
        ("LABWIRE_INGEST__COMMIT_TIMEOUT", "4s"),
        ("LABWIRE_INGEST__RELEASE_LEASE", "2s"),
        ("LABWIRE_DRAIN__TIMEOUT", "15s"),
    ];
    let mut settings: Vec<_> = settings
        .map(|(name, value)| (name, value.to_owned()))
        .into();
    settings.push((
        "FAILPOINTS",
        format!("poison.file=panic:{POISON_FILE},poison.event=panic:{POISON_EVENT}"),
    ));
    settings
}

/// The failpoints of a process that is to die, beside the poison that all of them know.
pub(crate) fn failpoints(further: &str) -> (&'static str, String) {
    let poison = format!("poison.file=panic:{POISON_FILE},poison.event=panic:{POISON_EVENT}");
    ("FAILPOINTS", format!("{poison},{further}"))
}
