use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use attachments::AttachmentStore;
use chrono::SubsecRound as _;
use domain::{ApiKeyId, Clock, TenantId};
use sealed_records::DataKeys;
use secrecy::ExposeSecret as _;
use service_runtime::Lifecycle;
use storage::{
    Database,
    api_keys::ApiKeyRecord,
    sender_numbers::{SenderNumber, find_sender_number_of},
    templates::{Template, list_templates},
    tenants::{Tenant, find_tenant},
};
use vault::KeyRing;
use web::Problem;

use crate::{
    accept::Acceptor, config::Config, error::ApiError, health::Health, memory::UploadMemory,
    recent::Recent,
};

/// What the routes share.
pub(crate) struct Gateway {
    pub(crate) database: Database,
    pub(crate) keys: DataKeys,
    pub(crate) files: AttachmentStore,
    pub(crate) acceptor: Acceptor,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) health: Health,
    pub(crate) memory: UploadMemory,
    pub(crate) max_file_bytes: u64,
    pub(crate) message_lifetime: Duration,
    pub(crate) allow_loopback: bool,
    pub(crate) recent_keys: Recent<ApiKeyId, ApiKeyRecord>,
    recent_labs: Recent<TenantId, Arc<Lab>>,
}

/// A lab and what it sends with.
pub(crate) struct Lab {
    pub(crate) tenant: Tenant,
    pub(crate) number: Option<SenderNumber>,
    pub(crate) templates: Vec<Template>,
}

impl Gateway {
    pub(crate) fn new(config: &Config, lifecycle: Lifecycle) -> anyhow::Result<Self> {
        let postgres = &config.postgres;
        let database = Database::connect(
            postgres.url.expose_secret(),
            postgres.max_connections,
            postgres.acquire_timeout,
        )
        .context("postgres")?;
        let clock: Arc<dyn Clock> = Arc::new(database.clock());
        let ring = KeyRing::parse(&config.vault.master_keys, &config.vault.index_key);
        let ring = ring.context("vault")?;
        let files = AttachmentStore::from_url(&config.attachments.url, &config.s3_options())
            .context("attachments")?;
        let (acceptor, accepting) = Acceptor::new(database.clone(), Arc::clone(&clock));
        lifecycle.spawn("accepting", accepting);
        Ok(Self {
            health: Health::new(database.clone(), files.clone(), &ring),
            keys: DataKeys::new(database.clone(), ring, Arc::clone(&clock)),
            memory: UploadMemory::new(config.gateway.upload_memory),
            max_file_bytes: config.gateway.max_file.bytes(),
            message_lifetime: config.gateway.message_lifetime,
            allow_loopback: config.callbacks.allow_loopback,
            recent_keys: Recent::new(Arc::clone(&clock)),
            recent_labs: Recent::new(Arc::clone(&clock)),
            database,
            files,
            acceptor,
            clock,
            lifecycle,
        })
    }

    /// Now, to the millisecond: as exact as an id tells it, so that a repeated answer says the same.
    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now().trunc_subsecs(3)
    }

    pub(crate) async fn lab(&self, id: TenantId) -> Result<Arc<Lab>, ApiError> {
        if let Some(lab) = self.recent_labs.find(&id) {
            return Ok(lab);
        }
        let asked_at = self.clock.monotonic();
        let mut tx = self.database.begin_for(&[id]).await?;
        let tenant = find_tenant(&mut tx, id)
            .await?
            .ok_or_else(Problem::not_found)?;
        let lab = Arc::new(Lab {
            tenant,
            number: find_sender_number_of(&mut tx, id).await?,
            templates: list_templates(&mut tx, id).await?,
        });
        self.recent_labs.keep(id, Arc::clone(&lab), asked_at);
        Ok(lab)
    }
}
