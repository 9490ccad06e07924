use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use attachments::AttachmentStore;
use chrono::SubsecRound as _;
use domain::{ApiKeyId, Clock, TenantId};
use sealed_records::DataKeys;
use secrecy::ExposeSecret as _;
use service_runtime::Lifecycle;
use storage::{
    Database,
    api_keys::{ApiKeyRecord, list_api_keys},
    sender_numbers::{SenderNumber, list_sender_numbers_of},
    templates::{Template, list_templates},
    tenants::{Tenant, list_tenants},
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
        let health = Health::new(database.clone(), files.clone(), &ring);
        let (acceptor, accepting) = Acceptor::new(database.clone(), Arc::clone(&clock));
        lifecycle.spawn("accepting", accepting);
        let asked = database.clone();
        let (recent_keys, looking_up) =
            Recent::new(Arc::clone(&clock), move |ids| list_keys(asked.clone(), ids));
        lifecycle.spawn("looking up keys", looking_up);
        let keys = DataKeys::new(database.clone(), ring, Arc::clone(&clock));
        let asked = (database.clone(), keys.clone());
        let (recent_labs, looking_up) =
            Recent::new(Arc::clone(&clock), move |ids| list_labs(asked.clone(), ids));
        lifecycle.spawn("looking up labs", looking_up);
        Ok(Self {
            health,
            keys,
            memory: UploadMemory::new(config.gateway.upload_memory),
            max_file_bytes: config.gateway.max_file.bytes(),
            message_lifetime: config.gateway.message_lifetime,
            allow_loopback: config.callbacks.allow_loopback,
            recent_keys,
            recent_labs,
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
        let lab = self.recent_labs.find(&id).await?;
        Ok(lab.ok_or_else(Problem::not_found)?)
    }
}

async fn list_keys(
    database: Database,
    ids: Vec<ApiKeyId>,
) -> storage::Result<HashMap<ApiKeyId, ApiKeyRecord>> {
    let mut connection = database.acquire().await?;
    list_api_keys(&mut connection, &ids).await
}

async fn list_labs(
    (database, keys): (Database, DataKeys),
    ids: Vec<TenantId>,
) -> storage::Result<HashMap<TenantId, Arc<Lab>>> {
    keys.expect(ids.iter().copied()).await;
    let mut tx = database.begin_for(&ids).await?;
    let tenants = list_tenants(&mut tx, &ids).await?;
    let numbers = list_sender_numbers_of(&mut tx, &ids).await?;
    let mut templates: HashMap<TenantId, Vec<Template>> = HashMap::new();
    for template in list_templates(&mut tx, &ids).await? {
        let of_tenant = templates.entry(template.tenant_id).or_default();
        of_tenant.push(template);
    }
    let mut numbers: HashMap<TenantId, SenderNumber> = numbers
        .into_iter()
        .map(|number| (number.tenant_id, number))
        .collect();
    let labs = tenants.into_iter().map(|tenant| {
        let id = tenant.id;
        let lab = Lab {
            tenant,
            number: numbers.remove(&id),
            templates: templates.remove(&id).unwrap_or_default(),
        };
        (id, Arc::new(lab))
    });
    Ok(labs.collect())
}
