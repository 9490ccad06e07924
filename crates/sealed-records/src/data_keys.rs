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

/// Each owner's key, or why it does not open.
type Keys = HashMap<Uuid, Result<Arc<DataKey>>>;

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

    /// Looks those up together that are about to be needed. What goes wrong is told to whoever needs it.
    pub async fn expect(&self, tenants: impl Iterator<Item = TenantId>) {
        let now = self.inner.clock.monotonic();
        let mut unknown: Vec<Uuid> = tenants
            .map(|tenant| tenant.as_uuid())
            .filter(|owner| self.kept(*owner, now).is_none())
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.len() > 1 {
            drop(self.load(&unknown, now).await);
        }
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
        one(self.stored(connection, &[owner]).await?, owner)
    }

    /// Of each of these owners that has a key, the key, or why it does not open.
    async fn stored(&self, connection: &mut Connection, owners: &[Uuid]) -> Result<Keys> {
        let wrapped = tenants::list_data_keys(connection, owners).await?;
        let keys = wrapped
            .into_iter()
            .map(|(owner, wrapped)| (owner, self.unwrap(&wrapped, owner)));
        Ok(keys.collect())
    }

    fn unwrap(&self, wrapped: &[u8], owner: Uuid) -> Result<Arc<DataKey>> {
        let wrapped = WrappedKey::from_bytes(wrapped)?;
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
        one(self.load(&[owner], now).await?, owner)
    }

    /// The same as `stored`; they are known from then on.
    async fn load(&self, owners: &[Uuid], now: Duration) -> Result<Keys> {
        let tenants: Vec<TenantId> = owners.iter().copied().map(TenantId::from_uuid).collect();
        let mut tx = self.inner.database.begin_for(&tenants).await?;
        let keys = self.stored(&mut tx, owners).await?;
        let mut open = self
            .inner
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (owner, key) in &keys {
            let Ok(key) = key else { continue };
            if open.len() >= KEPT {
                open.retain(|_, (_, since)| now < *since + LIFETIME);
            }
            if open.len() < KEPT {
                open.insert(*owner, (Arc::clone(key), now));
            }
        }
        Ok(keys)
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

fn one(mut keys: Keys, owner: Uuid) -> Result<Arc<DataKey>> {
    keys.remove(&owner).ok_or(Error::NoKey)?
}

impl std::fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKeys").finish_non_exhaustive()
    }
}
