//! What the tests share: a database with its roles, labs that live in it, and messages to accept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{
    AttachmentId, CallbackDeliveryId, CallbackEndpointId, Clock, Lane, Language, MessageId, Region,
    SenderNumberId, SystemClock, TenantId, UnconfirmedPolicy, VendorId,
};
use storage::{
    Connection, Database, Transaction,
    attachments::Attachment,
    callbacks::{Endpoint, NewDelivery, insert_deliveries, set_endpoint},
    messages::{Acceptance, Message, NewMessage, accept},
    sender_numbers::{SenderNumber, insert_sender_number},
    tenants::{Tenant, insert_data_key, insert_tenant, insert_vendor},
};
use testkit::{TestDatabase, database, eventually};
use uuid::Uuid;

/// Long enough for a loaded machine; no test that passes comes near it.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A database of the test's own, as each of its roles.
pub(crate) struct Stage {
    pub(crate) owner: Database,
    pub(crate) gateway: Database,
    pub(crate) ingest: Database,
    pub(crate) worker: Database,
    pub(crate) test: TestDatabase,
}

/// One tenant with a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lab {
    pub(crate) tenant: TenantId,
    pub(crate) number: SenderNumberId,
}

pub(crate) async fn stage() -> Stage {
    let test = database().await;
    Stage {
        owner: connect(&test.owner_url),
        gateway: connect(&test.gateway_url),
        ingest: connect(&test.ingest_url),
        worker: connect(&test.worker_url),
        test,
    }
}

pub(crate) fn connect(url: &str) -> Database {
    Database::connect(url, 8, LIMIT).unwrap()
}

/// Real time, because partitions exist around it.
pub(crate) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

impl Stage {
    /// A transaction as the role that does most.
    pub(crate) async fn work(&self) -> Transaction {
        self.worker.begin().await.unwrap()
    }

    /// Until one connection to this database waits for a lock.
    pub(crate) async fn until_blocked(&self) {
        eventually(LIMIT, async || self.test.count_blocked().await == 1).await;
    }

    pub(crate) async fn lab(&self) -> Lab {
        let lab = Lab {
            tenant: TenantId::new_at(now()),
            number: SenderNumberId::new_at(now()),
        };
        let mut tx = self.owner.begin().await.unwrap();
        let vendor = VendorId::new_at(now());
        insert_vendor(&mut tx, vendor, "a vendor", now())
            .await
            .unwrap();
        insert_tenant(&mut tx, &tenant(lab.tenant, vendor))
            .await
            .unwrap();
        insert_data_key(&mut tx, lab.tenant.as_uuid(), b"wrapped", now())
            .await
            .unwrap();
        insert_sender_number(&mut tx, &sender_number(lab), now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        lab
    }

    /// Accepts as the gateway, in a transaction of its own.
    pub(crate) async fn accept(&self, lab: Lab, messages: &[NewMessage]) -> Vec<Acceptance> {
        let mut tx = self.gateway.begin_for(&[lab.tenant]).await.unwrap();
        let answers = accept(&mut tx, messages, now()).await.unwrap();
        tx.commit().await.unwrap();
        answers
    }

    /// A message that was accepted.
    pub(crate) async fn message(&self, lab: Lab) -> MessageId {
        let message = message(lab);
        let id = message.message.id;
        self.accept(lab, &[message]).await;
        id
    }

    /// How many rows of a table the owner sees.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        let rows = self
            .test
            .rows(&format!("select count(*) as n from {from}"))
            .await;
        rows[0]["n"].as_i64().unwrap()
    }
}

pub(crate) fn tenant(id: TenantId, vendor_id: VendorId) -> Tenant {
    Tenant {
        id,
        vendor_id,
        name: "City Lab".to_owned(),
        contact_email: "lab@example.test".to_owned(),
        region: "IN".parse::<Region>().unwrap(),
        language: Language::English,
        unconfirmed_policy: UnconfirmedPolicy::Park,
        created_at: now(),
    }
}

pub(crate) fn sender_number(lab: Lab) -> SenderNumber {
    SenderNumber {
        id: lab.number,
        tenant_id: lab.tenant,
        phone_number_id: Uuid::new_v4().to_string(),
        waba_id: "waba".to_owned(),
        display_phone_number: "+91 11 5550 0000".to_owned(),
        rate_per_second: 80.0,
        burst: 10,
        app_key: None,
    }
}

pub(crate) fn message(lab: Lab) -> NewMessage {
    let created_at = now();
    NewMessage {
        message: Message {
            id: MessageId::new_at(created_at),
            tenant_id: lab.tenant,
            sender_number_id: lab.number,
            lane: Lane::Report,
            recipient: b"sealed recipient".to_vec(),
            recipient_hash: b"hash".to_vec(),
            content: b"sealed content".to_vec(),
            attachment_id: None,
            expires_at: created_at + seconds(3600),
            created_at,
        },
        attachment: None,
        idempotency_key: None,
        traceparent: None,
    }
}

pub(crate) fn attachment(lab: Lab) -> Attachment {
    Attachment {
        id: AttachmentId::new_at(now()),
        tenant_id: lab.tenant,
        media_type: "application/pdf".to_owned(),
        size_bytes: 1234,
        sha256: vec![7; 32],
        filename: b"sealed filename".to_vec(),
        created_at: now(),
    }
}

pub(crate) async fn endpoint(connection: &mut Connection, lab: Lab, url: &str) -> Endpoint {
    let endpoint = Endpoint {
        id: CallbackEndpointId::new_at(now()),
        tenant_id: lab.tenant,
        url: url.to_owned(),
        secret: b"sealed secret".to_vec(),
    };
    set_endpoint(connection, &endpoint, now()).await.unwrap();
    endpoint
}

pub(crate) async fn delivery(connection: &mut Connection, endpoint: &Endpoint) -> NewDelivery {
    let delivery = NewDelivery {
        id: CallbackDeliveryId::new_at(now()),
        tenant_id: endpoint.tenant_id,
        endpoint_id: endpoint.id,
        message_id: None,
        payload: "{}".to_owned(),
    };
    insert_deliveries(connection, std::slice::from_ref(&delivery), now())
        .await
        .unwrap();
    delivery
}
