//! What the tests share: a lab with an endpoint, callbacks for it, the handler, and a signature computed by hand.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use callback_worker::{AddressPolicy, CallbackHandler, CallbacksConfig, Effect, Poster, SystemDns};
use chrono::{DateTime, Utc};
use dispatch::{Claim, Deps, Handler as _};
use domain::{
    CallbackDeliveryId, CallbackEndpointId, Clock, FlowId, Lane, Losses, MessageId, MockClock,
    SystemClock, TenantId, UnconfirmedPolicy, VendorId, WorkId, WorkKind,
};
use queue::Broker;
use reqwest::dns::Resolve;
use sealed_records::DataKeys;
use secrecy::{ExposeSecret, SecretString};
use service_runtime::config::{Settings, Source};
use sha2::{Digest, Sha256};
use storage::{
    Database,
    callbacks::{Endpoint, NewDelivery, insert_deliveries, set_endpoint},
    tenants::{Tenant, insert_tenant, insert_vendor},
    work::{self, NewWork},
};
use testkit::{TestDatabase, database};
use vault::KeyRing;

/// Long enough for a loaded machine; no test that passes comes near it.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A database of the test's own, a clock that the test moves, and the keys.
pub(crate) struct Stage {
    pub(crate) test: TestDatabase,
    pub(crate) worker: Database,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) keys: DataKeys,
    pub(crate) master_keys: SecretString,
    pub(crate) index_key: SecretString,
    owner: Database,
}

/// A tenant with an endpoint.
#[derive(Clone)]
pub(crate) struct Lab {
    pub(crate) tenant: TenantId,
    pub(crate) message: MessageId,
    pub(crate) secret: SecretString,
    endpoint: CallbackEndpointId,
}

/// Looks the callback up and calls its endpoint, once.
pub(crate) async fn deliver(handler: &CallbackHandler, claim: &Claim) -> Effect {
    let stored = handler.prepare(std::slice::from_ref(claim)).await.remove(0);
    handler.deliver(claim, stored).await
}

pub(crate) async fn stage() -> Stage {
    let test = database().await;
    // Partitions exist around real time.
    let clock = Arc::new(MockClock::new(SystemClock.now()));
    let master_keys = SecretString::from(KeyRing::generate_spec());
    let index_key = SecretString::from(KeyRing::generate_index_key());
    let ring = KeyRing::parse(&master_keys, &index_key).unwrap();
    let worker = connect(&test.worker_url);
    Stage {
        owner: connect(&test.owner_url),
        keys: DataKeys::new(worker.clone(), ring, clock.clone()),
        test,
        worker,
        clock,
        master_keys,
        index_key,
    }
}

pub(crate) fn connect(url: &str) -> Database {
    Database::connect(url, 8, LIMIT).unwrap()
}

/// The configuration of callbacks, with loopback allowed unless told otherwise.
pub(crate) fn config(pairs: &[(&str, &str)]) -> CallbacksConfig {
    let source = Source::from_pairs([("LABWIRE_CALLBACKS__ALLOW_LOOPBACK", "true")]);
    let pairs = pairs
        .iter()
        .map(|(key, value)| (format!("LABWIRE_CALLBACKS__{key}"), *value));
    CallbacksConfig::from_source(&source.with_pairs(pairs)).unwrap()
}

impl Stage {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn deps(&self, broker: &Broker) -> Deps {
        Deps {
            database: self.worker.clone(),
            broker: broker.clone(),
            clock: self.clock.clone(),
        }
    }

    /// A handler that asks the machine for names.
    pub(crate) fn handler(&self, pairs: &[(&str, &str)]) -> CallbackHandler {
        self.handler_with(&config(pairs), Arc::new(SystemDns), self.worker.clone())
    }

    pub(crate) fn handler_with(
        &self,
        config: &CallbacksConfig,
        dns: Arc<dyn Resolve>,
        database: Database,
    ) -> CallbackHandler {
        let policy = AddressPolicy {
            allow_loopback: config.allow_loopback,
        };
        let poster = Poster::new(config.timeout, policy, dns).unwrap();
        let deps = Deps {
            database,
            ..self.deps(&Broker::in_process())
        };
        CallbackHandler::new(deps, self.keys.clone(), poster, config)
    }

    /// A lab that wants to hear at `url`.
    pub(crate) async fn lab(&self, url: &str) -> Lab {
        let lab = Lab {
            tenant: TenantId::new_at(self.now()),
            message: MessageId::new_at(self.now()),
            secret: vault::random_secret(),
            endpoint: CallbackEndpointId::new_at(self.now()),
        };
        let mut tx = self.owner.begin().await.unwrap();
        let vendor = VendorId::new_at(self.now());
        insert_vendor(&mut tx, vendor, "a vendor", self.now())
            .await
            .unwrap();
        insert_tenant(&mut tx, &tenant(lab.tenant, vendor, self.now()))
            .await
            .unwrap();
        let records = self
            .keys
            .create_tenant(&mut tx, lab.tenant, self.now())
            .await
            .unwrap();
        let endpoint = Endpoint {
            id: lab.endpoint,
            tenant_id: lab.tenant,
            url: url.to_owned(),
            secret: records.seal_callback_secret(lab.secret.expose_secret()),
        };
        set_endpoint(&mut tx, &endpoint, self.now()).await.unwrap();
        tx.commit().await.unwrap();
        lab
    }

    /// A callback of that lab, claimed for the first time.
    pub(crate) async fn callback(&self, lab: &Lab, payload: &str) -> Claim {
        let id = CallbackDeliveryId::new_at(self.now());
        let delivery = NewDelivery {
            id,
            tenant_id: lab.tenant,
            endpoint_id: lab.endpoint,
            message_id: Some(lab.message),
            payload: payload.to_owned(),
        };
        let mut tx = self.owner.begin().await.unwrap();
        insert_deliveries(&mut tx, &[delivery], self.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Claim {
            id: WorkId::new_at(self.now()),
            kind: WorkKind::Callback,
            flow: FlowId::from_uuid(lab.endpoint.as_uuid()),
            lane: Lane::Report,
            subject: id.as_uuid(),
            tenant_id: Some(lab.tenant),
            attempt: 1,
            failures: 0,
            losses: Losses::default(),
            begun: false,
            traceparent: Some(TRACEPARENT.to_owned()),
            created_at: self.now(),
        }
    }

    /// A callback that waits to be delivered; born released if there is a lease.
    pub(crate) async fn enqueue(&self, lab: &Lab, lease_until: Option<DateTime<Utc>>) -> Claim {
        let claim = self.callback(lab, PAYLOAD).await;
        let work = NewWork {
            id: claim.id,
            kind: claim.kind,
            flow: claim.flow,
            lane: claim.lane,
            subject: claim.subject,
            tenant_id: claim.tenant_id,
            pair: None,
            due_at: self.now(),
            expires_at: None,
            traceparent: claim.traceparent.clone(),
            created_at: self.now(),
        };
        let mut tx = self.owner.begin().await.unwrap();
        work::insert(&mut tx, &[work], lease_until).await.unwrap();
        tx.commit().await.unwrap();
        claim
    }

    /// What one query gives, as its only row.
    pub(crate) async fn row(&self, sql: &str) -> serde_json::Value {
        let mut rows = self.test.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows.remove(0)
    }
}

/// Spaces and an escape that no serialiser would write.
pub(crate) const PAYLOAD: &str =
    r#"{"type":  "message.delivered", "data": {"message_id": "msg_1", "t": "caf\u00e9 é"}}"#;

/// The `webhook-id` of a claim's callback.
pub(crate) fn webhook_id(claim: &Claim) -> String {
    CallbackDeliveryId::from_uuid(claim.subject).to_string()
}

fn tenant(id: TenantId, vendor_id: VendorId, now: DateTime<Utc>) -> Tenant {
    Tenant {
        id,
        vendor_id,
        name: "a lab".to_owned(),
        contact_email: "lab@example.org".to_owned(),
        region: "IN".parse().unwrap(),
        language: "en".parse().unwrap(),
        unconfirmed_policy: UnconfirmedPolicy::Park,
        created_at: now,
    }
}

/// The signature as RFC 2104 and Standard Webhooks define it, from nothing but a hash.
pub(crate) fn signature(secret: &SecretString, id: &str, timestamp: &str, body: &[u8]) -> String {
    let encoded = secret.expose_secret().strip_prefix("whsec_").unwrap();
    let mut key = STANDARD.decode(encoded).unwrap();
    assert!(key.len() <= 64, "longer keys would have to be hashed first");
    key.resize(64, 0);
    let padded = |pad: u8| key.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let inner = Sha256::digest([padded(0x36), content].concat());
    let outer = Sha256::digest([padded(0x5c), inner.to_vec()].concat());
    format!("v1,{}", STANDARD.encode(outer))
}
