//! Round trips of what is looked up by name or id.

use domain::{ApiKeyId, CallbackDeliveryId, SenderNumberId, TemplateId, TenantId, VendorId};
use storage::{
    api_keys::{NewApiKey, insert_api_key, list_api_keys, revoke_api_key},
    callbacks::{Attempt, list_deliveries, list_endpoints, record_attempts},
    credentials::{is_current, list_credentials, upsert_credential},
    sender_numbers::{
        find_sender_number_of, insert_sender_number, list_by_phone_number_ids, list_sender_numbers,
    },
    templates::{Template, list_templates, list_templates_of_waba, upsert_template},
    tenants::{find_data_key, insert_data_key, insert_tenant, insert_vendor, list_tenants},
};

use crate::{
    isolation::credential,
    support::{delivery, endpoint, now, seconds, sender_number, stage, tenant},
};

#[tokio::test]
async fn a_tenant_is_registered_by_the_gateway() {
    let stage = stage().await;
    let (id, vendor) = (TenantId::new_at(now()), VendorId::new_at(now()));
    let mut owner = stage.owner.begin().await.unwrap();
    insert_vendor(&mut owner, vendor, "a vendor", now())
        .await
        .unwrap();
    owner.commit().await.unwrap();

    let mut tx = stage.gateway.begin_for(&[id]).await.unwrap();
    let tenant = tenant(id, vendor);
    insert_tenant(&mut tx, &tenant).await.unwrap();
    let found = list_tenants(&mut tx, &[id]).await.unwrap().remove(0);
    assert_eq!(format!("{found:?}"), format!("{tenant:?}"));
    assert!(
        insert_data_key(&mut tx, id.as_uuid(), b"first", now())
            .await
            .unwrap()
    );
    assert!(
        !insert_data_key(&mut tx, id.as_uuid(), b"second", now())
            .await
            .unwrap()
    );
    let key = find_data_key(&mut tx, id.as_uuid()).await.unwrap();
    assert_eq!(key.as_deref(), Some(&b"first"[..]));
}

#[tokio::test]
async fn a_key_is_found_before_its_tenant_is_known_and_can_be_revoked() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let vendor_id = VendorId::new_at(now());
    let mut owner = stage.owner.begin().await.unwrap();
    insert_vendor(&mut owner, vendor_id, "a vendor", now())
        .await
        .unwrap();
    owner.commit().await.unwrap();
    let key = NewApiKey {
        id: ApiKeyId::new_at(now()),
        vendor_id,
        tenant_id: Some(lab.tenant),
        hash: [9; 32],
        name: "integration".to_owned(),
    };
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    insert_api_key(&mut tx, &key, now()).await.unwrap();
    tx.commit().await.unwrap();

    let mut unknown = stage.gateway.begin().await.unwrap();
    let found = &list_api_keys(&mut unknown, &[key.id]).await.unwrap()[&key.id];
    assert_eq!(
        (found.tenant_id, found.vendor_id),
        (Some(lab.tenant), vendor_id)
    );
    assert_eq!((&*found.hash, found.revoked), (&[9; 32][..], false));
    assert!(
        list_api_keys(&mut unknown, &[ApiKeyId::new_at(now())])
            .await
            .unwrap()
            .is_empty()
    );
    // Revoking is the tenant's own.
    assert!(!revoke_api_key(&mut unknown, key.id, now()).await.unwrap());
    drop(unknown);
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    assert!(revoke_api_key(&mut tx, key.id, now()).await.unwrap());
    assert!(!revoke_api_key(&mut tx, key.id, now()).await.unwrap());
    assert!(list_api_keys(&mut tx, &[key.id]).await.unwrap()[&key.id].revoked);
}

#[tokio::test]
async fn a_number_belongs_to_one_tenant_in_all_the_world() {
    let stage = stage().await;
    let (a, b) = (stage.lab().await, stage.lab().await);
    let mut tx = stage.work().await;
    let number = find_sender_number_of(&mut tx, a.tenant)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(number.id, a.number);
    let unknown = SenderNumberId::new_at(now());
    let listed = list_sender_numbers(&mut tx, &[a.number, b.number, unknown])
        .await
        .unwrap();
    assert_eq!(listed.len(), 2);
    let ids = [number.phone_number_id.clone(), "unknown".to_owned()];
    let owners = list_by_phone_number_ids(&mut tx, &ids).await.unwrap();
    assert_eq!(owners, std::slice::from_ref(&number));

    let mut tx = stage.gateway.begin_for(&[b.tenant]).await.unwrap();
    let mut taken = sender_number(b);
    taken.id = unknown;
    taken.phone_number_id = number.phone_number_id;
    let error = insert_sender_number(&mut tx, &taken, now())
        .await
        .unwrap_err();
    assert_eq!(
        error.constraint(),
        Some("sender_numbers_phone_number_id_key")
    );
}

#[tokio::test]
async fn a_token_is_replaced_and_the_old_one_is_known_to_be_old() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let mut stored = Vec::new();
    for (n, token) in [b"first", b"newer"].iter().enumerate() {
        let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
        let at = now() + seconds(n as u64);
        upsert_credential(&mut tx, &credential(lab, *token), at)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut tx = stage.work().await;
        let found = &list_credentials(&mut tx, &[lab.number]).await.unwrap()[&lab.number];
        assert_eq!((&*found.access_token, found.updated_at), (&token[..], at));
        stored.push(found.updated_at);
    }
    let mut tx = stage.work().await;
    assert!(
        !is_current(&mut tx, lab.number, Some(stored[0]))
            .await
            .unwrap()
    );
    assert!(
        is_current(&mut tx, lab.number, Some(stored[1]))
            .await
            .unwrap()
    );
    assert!(!is_current(&mut tx, lab.number, None).await.unwrap());
    let without = stage.lab().await;
    assert!(is_current(&mut tx, without.number, None).await.unwrap());
}

#[tokio::test]
async fn a_template_is_replaced_by_name_and_language() {
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    let template = |header: &str| Template {
        id: TemplateId::new_at(now()),
        tenant_id: lab.tenant,
        name: "report".to_owned(),
        language: "en_US".to_owned(),
        parameters: vec!["patient".to_owned(), "lab".to_owned()],
        header: header.to_owned(),
    };
    let first = template("none");
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    upsert_template(&mut tx, &first, now()).await.unwrap();
    upsert_template(&mut tx, &template("document"), now())
        .await
        .unwrap();
    let listed = list_templates(&mut tx, &[lab.tenant]).await.unwrap();
    let expected = Template {
        header: "document".to_owned(),
        ..first.clone()
    };
    assert_eq!(listed, [expected]);
    tx.commit().await.unwrap();
    let mut tx = stage.work().await;
    assert_eq!(list_templates(&mut tx, &[other.tenant]).await.unwrap(), []);
    let of_waba = list_templates_of_waba(&mut tx, "waba", "report", "en_US")
        .await
        .unwrap();
    assert_eq!(of_waba, [first.id]);
}

#[tokio::test]
async fn a_new_endpoint_takes_the_place_of_the_old_one() {
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    let mut tx = stage
        .gateway
        .begin_for(&[lab.tenant, other.tenant])
        .await
        .unwrap();
    let theirs = endpoint(&mut tx, other, "https://one.test/").await;
    let first = endpoint(&mut tx, lab, "https://one.test/").await;
    endpoint(&mut tx, lab, "https://two.test/").await;
    let urls = async |tx: &mut storage::Connection, tenants: &[TenantId]| {
        let mut endpoints = list_endpoints(tx, tenants).await.unwrap();
        endpoints.sort_by_key(|endpoint| endpoint.tenant_id);
        endpoints
            .into_iter()
            .map(|it| (it.id, it.url))
            .collect::<Vec<_>>()
    };
    assert_eq!(urls(&mut tx, &[lab.tenant]).await[0].1, "https://two.test/");
    // The first again: it is the same endpoint, enabled again.
    endpoint(&mut tx, lab, "https://one.test/").await;
    let both = urls(&mut tx, &[lab.tenant, other.tenant]).await;
    let one = "https://one.test/".to_owned();
    assert_eq!(both, [(first.id, one.clone()), (theirs.id, one)]);
    assert_eq!(urls(&mut tx, &[]).await, []);
}

#[tokio::test]
async fn a_delivery_keeps_its_first_success_and_loses_a_disabled_endpoint() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let mut tx = stage.owner.begin().await.unwrap();
    let place = endpoint(&mut tx, lab, "https://one.test/").await;
    let delivery = delivery(&mut tx, &place).await;
    tx.commit().await.unwrap();

    let mut tx = stage.work().await;
    let found = list_deliveries(&mut tx, &[delivery.id]).await;
    let found = found.unwrap().remove(0);
    assert_eq!((found.payload.as_str(), found.delivered_at), ("{}", None));
    assert_eq!(found.endpoint.unwrap().url, "https://one.test/");
    let delivered = now();
    for (status, at) in [
        (500, None),
        (200, Some(delivered)),
        (200, Some(delivered + seconds(9))),
    ] {
        let attempt = Attempt {
            id: delivery.id,
            status: Some(status),
            error: None,
            delivered_at: at,
        };
        record_attempts(&mut tx, &[attempt]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let row = &stage
        .test
        .rows("select attempts, last_status from callback_deliveries")
        .await[0];
    assert_eq!(
        (&row["attempts"], &row["last_status"]),
        (&3.into(), &200.into())
    );

    let mut tx = stage.owner.begin().await.unwrap();
    endpoint(&mut tx, lab, "https://two.test/").await;
    let found = list_deliveries(&mut tx, &[delivery.id]).await;
    let found = found.unwrap().remove(0);
    assert_eq!(found.delivered_at, Some(delivered));
    assert!(found.endpoint.is_none());
    let unknown = CallbackDeliveryId::new_at(now());
    assert!(
        list_deliveries(&mut tx, &[unknown])
            .await
            .unwrap()
            .is_empty()
    );
}
