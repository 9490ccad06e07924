//! What the tests share: one key ring, a database, and the roles that open records in it.

use std::{sync::Arc, time::Duration};

use domain::{Clock, MockClock, TenantId};
use sealed_records::{DataKeys, PlatformRecords, TenantRecords};
use secrecy::SecretString;
use storage::Database;
use testkit::{TestDatabase, database};
use vault::KeyRing;

pub(crate) struct Stage {
    pub(crate) owner: Database,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) test: TestDatabase,
    master: SecretString,
    index: SecretString,
}

pub(crate) async fn stage() -> Stage {
    let test = database().await;
    Stage {
        owner: connect(&test.owner_url),
        clock: Arc::new(MockClock::default()),
        test,
        master: KeyRing::generate_spec().into(),
        index: KeyRing::generate_index_key().into(),
    }
}

pub(crate) fn connect(url: &str) -> Database {
    Database::connect(url, 4, Duration::from_secs(2)).unwrap()
}

impl Stage {
    /// As another process with the same key ring has them.
    pub(crate) fn keys(&self, url: &str) -> DataKeys {
        let ring = KeyRing::parse(&self.master, &self.index).unwrap();
        DataKeys::new(connect(url), ring, self.clock.clone())
    }

    pub(crate) async fn tenant(&self) -> (TenantId, TenantRecords) {
        let tenant = TenantId::new_at(self.clock.now());
        let mut tx = self.owner.begin_for(&[tenant]).await.unwrap();
        let keys = self.keys(&self.test.gateway_url);
        let records = keys
            .create_tenant(&mut tx, tenant, self.clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        (tenant, records)
    }

    pub(crate) async fn platform(&self) -> PlatformRecords {
        let mut tx = self.owner.begin().await.unwrap();
        let keys = self.keys(&self.test.owner_url);
        let records = keys
            .ensure_platform(&mut tx, self.clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        records
    }
}
