use std::time::Duration;

use domain::{Clock, TenantId};
use sealed_records::Error;
use storage::tenants::find_data_key;
use uuid::Uuid;

use crate::stage::stage;

#[tokio::test]
async fn what_one_process_seals_another_opens() {
    let stage = stage().await;
    let (tenant, records) = stage.tenant().await;
    let sealed = records.seal_filename("report.pdf");
    for url in [&stage.test.gateway_url, &stage.test.worker_url] {
        let records = stage.keys(url).tenant(tenant).await.unwrap();
        assert_eq!(records.open_filename(&sealed).unwrap(), "report.pdf");
    }
    // Ingest reads no tenant's key.
    let ingest = stage.keys(&stage.test.ingest_url).tenant(tenant).await;
    assert!(matches!(ingest, Err(Error::NoKey)));
}

#[tokio::test]
async fn the_platforms_records_are_open_to_ingest_and_workers() {
    let stage = stage().await;
    let ingest = stage.keys(&stage.test.ingest_url);
    assert!(matches!(ingest.platform().await, Err(Error::NoKey)));
    let sealed = stage.platform().await.seal_event_body(b"{\"exact\" :  1}");
    // Made once: what was sealed before stays open.
    let again = stage.platform().await;
    assert_eq!(
        &**again.open_event_body(&sealed).unwrap(),
        b"{\"exact\" :  1}"
    );
    for keys in [ingest, stage.keys(&stage.test.worker_url)] {
        let opened = keys
            .platform()
            .await
            .unwrap()
            .open_event_body(&sealed)
            .unwrap();
        assert_eq!(&**opened, b"{\"exact\" :  1}");
    }
}

#[tokio::test]
async fn a_tenant_without_a_key_has_no_records() {
    let stage = stage().await;
    let stranger = TenantId::new_at(stage.clock.now());
    let error = stage
        .keys(&stage.test.worker_url)
        .tenant(stranger)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoKey) && !error.is_unavailable());
}

#[tokio::test]
async fn a_key_is_made_in_the_transaction_that_makes_the_tenant() {
    let stage = stage().await;
    let tenant = TenantId::new_at(stage.clock.now());
    let keys = stage.keys(&stage.test.gateway_url);
    let mut tx = stage.owner.begin().await.unwrap();
    keys.create_tenant(&mut tx, tenant, stage.clock.now())
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    assert!(matches!(keys.tenant(tenant).await, Err(Error::NoKey)));
}

/// A key that is not the stored one would seal what nobody can open.
#[tokio::test]
async fn a_tenant_that_has_a_key_keeps_it() {
    let stage = stage().await;
    let (tenant, _) = stage.tenant().await;
    let keys = stage.keys(&stage.test.gateway_url);
    let mut tx = stage.owner.begin().await.unwrap();
    let again = keys
        .create_tenant(&mut tx, tenant, stage.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let stored = keys.tenant(tenant).await.unwrap();
    let sealed = again.seal_filename("report.pdf");
    assert_eq!(stored.open_filename(&sealed).unwrap(), "report.pdf");
}

#[tokio::test]
async fn an_erased_tenant_is_unreadable_after_five_minutes_at_most() {
    let stage = stage().await;
    let (tenant, _) = stage.tenant().await;
    let keys = stage.keys(&stage.test.worker_url);
    keys.tenant(tenant).await.unwrap();
    stage.test.execute("delete from data_keys").await;
    stage.clock.advance(Duration::from_secs(299));
    assert!(keys.tenant(tenant).await.is_ok());
    // A clone is the same.
    stage.clock.advance(Duration::from_secs(1));
    assert!(matches!(
        keys.clone().tenant(tenant).await,
        Err(Error::NoKey)
    ));
}

/// A lab without a key keeps none of the others from having theirs.
#[tokio::test]
async fn keys_that_are_expected_are_looked_up_together() {
    let stage = stage().await;
    let keys = stage.keys(&stage.test.worker_url);
    let (one, _) = stage.tenant().await;
    let (another, _) = stage.tenant().await;
    let stranger = TenantId::new_at(stage.clock.now());
    keys.expect([one, stranger, another, one].into_iter()).await;
    stage.test.execute("delete from data_keys").await;
    assert!(keys.tenant(one).await.is_ok());
    assert!(keys.tenant(another).await.is_ok());
    assert!(matches!(keys.tenant(stranger).await, Err(Error::NoKey)));
}

#[tokio::test]
async fn keys_in_memory_outlast_a_database_that_is_away_and_others_wait() {
    let stage = stage().await;
    let (tenant, _) = stage.tenant().await;
    let keys = stage.keys("postgres://labwire_worker@127.0.0.1:1/nowhere");
    let error = keys.tenant(tenant).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
}

#[tokio::test]
async fn another_key_ring_opens_nothing() {
    let stage = stage().await;
    let (tenant, _) = stage.tenant().await;
    let other = crate::stage::stage().await;
    let foreign = other
        .keys(&stage.test.worker_url)
        .tenant(tenant)
        .await
        .unwrap_err();
    assert!(matches!(foreign, Error::Vault(_)), "{foreign:?}");
}

/// What is stored is the key wrapped, for this owner and no other.
#[tokio::test]
async fn a_wrapped_key_moved_to_another_owner_does_not_open() {
    let stage = stage().await;
    let (tenant, _) = stage.tenant().await;
    let mut tx = stage.owner.begin().await.unwrap();
    assert!(
        find_data_key(&mut tx, tenant.as_uuid())
            .await
            .unwrap()
            .is_some()
    );
    let thief = Uuid::new_v4();
    let moved = format!("update data_keys set owner_id = '{thief}'");
    stage.test.execute(&moved).await;
    let keys = stage.keys(&stage.test.worker_url);
    let error = keys.tenant(TenantId::from_uuid(thief)).await.unwrap_err();
    assert!(matches!(error, Error::Vault(_)), "{error:?}");
}
