//! What the tests share: labs with messages, webhooks about them, and an engine that applies these.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use dispatch::{Deps, Engine, Settings};
use domain::{
    CallbackEndpointId, Clock, EventId, FlowId, Lane, Language, MessageId, MockClock, PhoneNumber,
    SenderNumberId, SystemClock, TenantId, UnconfirmedPolicy, VendorId, WorkId,
};
use queue::Broker;
use sealed_records::{DataKeys, PlatformRecords, TenantRecords};
use secrecy::SecretString;
use serde_json::{Value, json};
use status_worker::EventHandler;
use storage::{
    Database,
    callbacks::{Endpoint, set_endpoint},
    events::{NewEvent, insert_events},
    messages::{Message, NewMessage, accept},
    sender_numbers::{SenderNumber, insert_sender_number},
    tenants::{Tenant, insert_tenant, insert_vendor},
    webhook_apps::{WebhookApp, upsert_app},
};
use testkit::{TestDatabase, database, eventually};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vault::KeyRing;

/// Long enough for a loaded machine; no test that passes comes near it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
pub(crate) const PHONE: &str = "919876543210";
pub(crate) const WABA: &str = "200000000000001";

/// A database of the test's own, a clock that the test moves, and the keys.
pub(crate) struct Stage {
    pub(crate) test: TestDatabase,
    pub(crate) worker: Database,
    pub(crate) owner: Database,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) keys: DataKeys,
    pub(crate) master_keys: SecretString,
    pub(crate) index_key: SecretString,
    platform: PlatformRecords,
}

/// A tenant with a number and an endpoint for callbacks.
pub(crate) struct Lab {
    pub(crate) tenant: TenantId,
    pub(crate) number: SenderNumberId,
    pub(crate) phone_number_id: String,
    pub(crate) records: TenantRecords,
}

pub(crate) fn connect(url: &str) -> Database {
    Database::connect(url, 8, LIMIT).unwrap()
}

pub(crate) async fn stage() -> Stage {
    let test = database().await;
    // Partitions exist around real time.
    let clock = Arc::new(MockClock::new(SystemClock.now()));
    let master_keys = SecretString::from(KeyRing::generate_spec());
    let index_key = SecretString::from(KeyRing::generate_index_key());
    let ring = KeyRing::parse(&master_keys, &index_key).unwrap();
    let (worker, owner) = (connect(&test.worker_url), connect(&test.owner_url));
    let keys = DataKeys::new(worker.clone(), ring, clock.clone());
    let mut connection = owner.acquire().await.unwrap();
    let platform = keys.ensure_platform(&mut connection, clock.now()).await;
    drop(connection);
    Stage {
        platform: platform.unwrap(),
        test,
        worker,
        owner,
        clock,
        keys,
        master_keys,
        index_key,
    }
}

impl Stage {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) async fn lab(&self) -> Lab {
        let (now, vendor) = (self.now(), VendorId::new_at(self.now()));
        let tenant = Tenant {
            id: TenantId::new_at(now),
            vendor_id: vendor,
            name: "Sunrise Diagnostics".to_owned(),
            contact_email: "lab@example.org".to_owned(),
            region: "IN".parse().unwrap(),
            language: Language::English,
            unconfirmed_policy: UnconfirmedPolicy::Park,
            created_at: now,
        };
        let number = SenderNumberId::new_at(now);
        let sender_number = SenderNumber {
            id: number,
            tenant_id: tenant.id,
            phone_number_id: format!("phone-{number}"),
            waba_id: WABA.to_owned(),
            display_phone_number: "+91 80 4718 2201".to_owned(),
            rate_per_second: 100.0,
            burst: 100,
            app_key: None,
        };
        let mut tx = self.owner.begin().await.unwrap();
        insert_vendor(&mut tx, vendor, "a vendor", now)
            .await
            .unwrap();
        insert_tenant(&mut tx, &tenant).await.unwrap();
        insert_sender_number(&mut tx, &sender_number, now)
            .await
            .unwrap();
        let records = self.keys.create_tenant(&mut tx, tenant.id, now).await;
        let records = records.unwrap();
        let endpoint = Endpoint {
            id: CallbackEndpointId::new_at(now),
            tenant_id: tenant.id,
            url: "https://lims.example/".to_owned(),
            secret: records.seal_callback_secret("whsec_"),
        };
        set_endpoint(&mut tx, &endpoint, now).await.unwrap();
        tx.commit().await.unwrap();
        Lab {
            tenant: tenant.id,
            number,
            phone_number_id: sender_number.phone_number_id,
            records,
        }
    }

    /// A message that is accepted and not sent yet.
    pub(crate) async fn message(&self, lab: &Lab) -> MessageId {
        let now = self.now();
        let phone = PhoneNumber::from_wa_id(PHONE).unwrap();
        let message = Message {
            id: MessageId::new_at(now),
            tenant_id: lab.tenant,
            sender_number_id: lab.number,
            lane: Lane::Report,
            recipient: lab.records.seal_recipient(&phone),
            recipient_hash: lab.records.contact_hash(phone.as_e164()),
            content: Vec::new(),
            attachment_id: None,
            expires_at: now + Duration::from_hours(24),
            created_at: now,
        };
        let id = message.id;
        let new = NewMessage {
            message,
            attachment: None,
            idempotency_key: None,
            traceparent: None,
        };
        let mut tx = self.owner.begin().await.unwrap();
        accept(&mut tx, &[new], now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// What the ingest does with a request: the body sealed, and work for it. All in one transaction.
    pub(crate) async fn receive(&self, bodies: &[&[u8]]) {
        let mut events = Vec::new();
        for body in bodies {
            events.push(NewEvent {
                id: EventId::new_at(self.now()),
                app_key: "main".to_owned(),
                headers: json!({}),
                body: self.platform.seal_event_body(body),
                received_at: self.now(),
                work: WorkId::new_at(self.now()),
                flow: FlowId::from_uuid(uuid::Uuid::nil()),
                traceparent: None,
            });
        }
        let events: Vec<&NewEvent> = events.iter().collect();
        let mut tx = self.owner.begin().await.unwrap();
        insert_events(&mut tx, &events, None).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Makes the app whose events come in this lab's own.
    pub(crate) async fn app_of(&self, lab: &Lab) {
        let app = WebhookApp {
            key: "main".to_owned(),
            app_secret: Vec::new(),
            verify_token: Vec::new(),
            tenant_id: Some(lab.tenant),
        };
        let mut connection = self.owner.acquire().await.unwrap();
        upsert_app(&mut connection, &app, self.now()).await.unwrap();
    }

    /// Applies these webhooks, all in one batch, a moment after what came before: ids of one instant have no order.
    pub(crate) async fn apply(&self, webhooks: &[Value]) {
        self.clock.advance(Duration::from_millis(10));
        let bodies: Vec<String> = webhooks.iter().map(Value::to_string).collect();
        let bodies: Vec<&[u8]> = bodies.iter().map(String::as_bytes).collect();
        self.receive(&bodies).await;
        self.work_off().await;
    }

    /// Runs an engine until no event waits.
    pub(crate) async fn work_off(&self) {
        let engine = self.engine();
        eventually(LIMIT, async || {
            let left = self
                .test
                .rows("SELECT id FROM work WHERE kind = 'event'")
                .await;
            left.is_empty()
        })
        .await;
        engine.finish().await;
    }

    pub(crate) fn engine(&self) -> Running {
        let deps = Deps {
            database: self.worker.clone(),
            broker: Broker::in_process(),
            clock: self.clock.clone(),
        };
        let settings = Settings {
            poll: Duration::from_millis(20),
            hint_size: 64,
            ..Settings::default()
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let engine = Engine::new(EventHandler::new(self.keys.clone()), deps, settings);
        tasks.spawn(engine.run(stop.clone(), CancellationToken::new(), || {}));
        Running { stop, tasks }
    }

    pub(crate) async fn state(&self, id: MessageId) -> Value {
        let query = format!(
            "SELECT * FROM message_state WHERE message_id = '{}'",
            id.as_uuid()
        );
        self.test.rows(&query).await.remove(0)
    }

    pub(crate) async fn count(&self, from: &str) -> usize {
        self.test.rows(&format!("SELECT 1 FROM {from}")).await.len()
    }

    /// The callbacks that wait to be delivered to a lab, in order.
    pub(crate) async fn callbacks(&self, lab: &Lab) -> Vec<Value> {
        let query = format!(
            "SELECT d.payload::jsonb AS payload FROM callback_deliveries AS d
             JOIN callback_endpoints AS e ON e.id = d.endpoint_id AND e.tenant_id = d.tenant_id
             JOIN work AS w ON w.kind = 'callback' AND w.subject = d.id AND w.tenant_id = d.tenant_id
             WHERE d.tenant_id = '{}' ORDER BY d.id",
            lab.tenant.as_uuid()
        );
        let rows = self.test.rows(&query).await;
        rows.into_iter().map(|row| row["payload"].clone()).collect()
    }

    pub(crate) async fn told(&self, lab: &Lab) -> Vec<String> {
        let callbacks = self.callbacks(lab).await;
        callbacks
            .iter()
            .map(|payload| payload["type"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A running engine; stops when dropped.
pub(crate) struct Running {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    pub(crate) async fn finish(mut self) {
        self.stop.cancel();
        while let Some(result) = self.tasks.join_next().await {
            result.unwrap();
        }
    }
}

pub(crate) fn envelope(changes: &[Value]) -> Value {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": WABA, "changes": changes }] })
}

/// The change with these statuses or messages of a number.
pub(crate) fn change(lab: &Lab, key: &str, elements: &[Value]) -> Value {
    let metadata = json!({ "display_phone_number": "1", "phone_number_id": lab.phone_number_id });
    let mut value = json!({ "messaging_product": "whatsapp", "metadata": metadata });
    value[key] = json!(elements);
    json!({ "field": "messages", "value": value })
}

/// A status, that many seconds after the test's start.
pub(crate) fn status(stage: &Stage, wamid: &str, status: &str, seconds: i64) -> Value {
    let at = stage.now().timestamp() + seconds;
    json!({ "id": wamid, "status": status, "timestamp": at.to_string(), "recipient_id": PHONE })
}

/// The same, echoing our id.
pub(crate) fn echoing(mut status: Value, id: MessageId) -> Value {
    status["biz_opaque_callback_data"] = json!(id);
    status
}
