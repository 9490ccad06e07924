use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Clock, TenantId};
use storage::{Connection, Database, tenants};
use uuid::Uuid;
use vault::{DataKey, KeyRing, WrappedKey};

use crate::{Error, PlatformRecords, Result, TenantRecords};

/// How long an unwrapped key stays in memory: an erased tenant is unreadable after this.
const LIFETIME: Duration = Duration::from_mins(5);
/// Most keys kept unwrapped at a time; a few mebibytes.
const KEPT: usize = 50_000;

/// Finds, unwraps and briefly keeps the data keys of tenants and of the platform.
#[derive(Clone)]
pub struct DataKeys {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    ring: KeyRing,
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<Uuid, (Arc<DataKey>, Duration)>>,
}

impl DataKeys {
    pub fn new(database: Database, ring: KeyRing, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                database,
                ring,
                clock,
                open: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// What can be sealed and opened for a tenant.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantRecords> {
        let key = self.find(tenant.as_uuid()).await?;
        Ok(self.records(tenant, key))
    }

    /// What can be sealed and opened for the platform.
    pub async fn platform(&self) -> Result<PlatformRecords> {
        Ok(PlatformRecords::new(self.find(Uuid::nil()).await?))
    }

    /// Makes a new tenant's data key in the transaction that makes the tenant; that must act for the tenant.
    pub async fn create_tenant(
        &self,
        connection: &mut Connection,
        tenant: TenantId,
        now: DateTime<Utc>,
    ) -> Result<TenantRecords> {
        let key = self.ensure(connection, tenant.as_uuid(), now).await?;
        Ok(self.records(tenant, key))
    }

    /// Makes the platform's data key, unless there is one: once for each database, as its owner.
    pub async fn ensure_platform(
        &self,
        connection: &mut Connection,
        now: DateTime<Utc>,
    ) -> Result<PlatformRecords> {
        let key = self.ensure(connection, Uuid::nil(), now).await?;
        Ok(PlatformRecords::new(key))
    }

    /// Makes an owner's key, unless there is one. What is stored counts: a key that is not would seal for nobody.
    async fn ensure(
        &self,
        connection: &mut Connection,
        owner: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Arc<DataKey>> {
        let (_, wrapped) = self.inner.ring.new_data_key(owner);
        tenants::insert_data_key(connection, owner, &wrapped.to_bytes(), now).await?;
        self.stored(connection, owner).await
    }

    async fn stored(&self, connection: &mut Connection, owner: Uuid) -> Result<Arc<DataKey>> {
        let wrapped = tenants::find_data_key(connection, owner)
            .await?
            .ok_or(Error::NoKey)?;
        let wrapped = WrappedKey::from_bytes(&wrapped)?;
        Ok(Arc::new(self.inner.ring.unwrap(&wrapped, owner)?))
    }

    fn records(&self, tenant: TenantId, key: Arc<DataKey>) -> TenantRecords {
        let ring = Arc::clone(&self.inner);
        TenantRecords::new(tenant, key, move |value| {
            ring.ring.blind_index(&format!("contact:{tenant}"), value)
        })
    }

    async fn find(&self, owner: Uuid) -> Result<Arc<DataKey>> {
        let now = self.inner.clock.monotonic();
        if let Some(key) = self.kept(owner, now) {
            return Ok(key);
        }
        let mut tx = self
            .inner
            .database
            .begin_for(&[TenantId::from_uuid(owner)])
            .await?;
        let key = self.stored(&mut tx, owner).await?;
        let mut open = self
            .inner
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if open.len() >= KEPT {
            open.retain(|_, (_, since)| now < *since + LIFETIME);
        }
        if open.len() < KEPT {
            open.insert(owner, (Arc::clone(&key), now));
        }
        Ok(key)
    }

    fn kept(&self, owner: Uuid, now: Duration) -> Option<Arc<DataKey>> {
        let open = self
            .inner
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.get(&owner)
            .filter(|(_, since)| now < *since + LIFETIME)
            .map(|(key, _)| Arc::clone(key))
    }
}

impl std::fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKeys").finish_non_exhaustive()
    }
}
