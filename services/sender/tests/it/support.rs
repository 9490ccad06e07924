//! What the tests share: a lab, its reports, and an engine that sends them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use attachments::{AttachmentStore, ObjectKey};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use dispatch::{Claim, Deps, Engine, Settings};
use domain::{
    AttachmentId, Clock, CredentialId, Language, MessageId, MockClock, PhoneNumber, Scope,
    SenderNumberId, SystemClock, TemplateId, TenantId, UnconfirmedPolicy, VendorId, WorkKind,
};
use futures::stream;
use providers::Provider;
use queue::Broker;
use sealed_records::{DataKeys, ReportContent, TenantRecords};
use secrecy::SecretString;
use sender::{Pauses, SendHandler, SendSettings};
use serde_json::{Value, json};
use storage::{
    Connection, Database,
    attachments::Attachment,
    credentials::{NewCredential, upsert_credential},
    inbound::{Window, open_windows},
    messages::{Message, NewMessage, accept},
    sender_numbers::{SenderNumber, insert_sender_number},
    templates::{Template, upsert_template},
    tenants::{Tenant, insert_tenant, insert_vendor},
    webhook_apps::{WebhookApp, upsert_app},
    work::{self, claim_abandoned},
};
use testkit::{TestDatabase, database, eventually};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vault::KeyRing;

/// Long enough for a loaded machine; no test that passes comes near it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
pub(crate) const LEASE: Duration = Duration::from_mins(1);
pub(crate) const GRACE: Duration = Duration::from_mins(10);
pub(crate) const ECHO: Duration = Duration::from_secs(15);
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const TOKEN: &str = "EAAG-first-token";
pub(crate) const PATIENT: &str = "Asha Rao";
pub(crate) const PHONE: &str = "919876543210";
pub(crate) const TEXT: &str = "Dear Asha Rao, your report is ready.";
pub(crate) const FILENAME: &str = "Asha Rao CBC.pdf";
pub(crate) const PDF: &[u8] = b"%PDF-1.7 haemoglobin";
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n haemoglobin";

/// A database of the test's own, a clock that the test moves, the keys and the files.
pub(crate) struct Stage {
    pub(crate) test: TestDatabase,
    pub(crate) worker: Database,
    pub(crate) owner: Database,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) keys: DataKeys,
    pub(crate) files: AttachmentStore,
    pub(crate) master_keys: SecretString,
    pub(crate) index_key: SecretString,
}

/// A tenant with a number and a token.
pub(crate) struct Lab {
    pub(crate) tenant: TenantId,
    pub(crate) number: SenderNumberId,
    pub(crate) records: TenantRecords,
}

/// A report to accept.
pub(crate) struct Draft {
    pub(crate) file: Option<(&'static [u8], &'static str)>,
    pub(crate) language: Language,
    pub(crate) doctor: Option<String>,
    pub(crate) lifetime: Duration,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            file: None,
            language: Language::English,
            doctor: Some("Dr. Iyer".to_owned()),
            lifetime: 24 * HOUR,
        }
    }
}

pub(crate) fn with_pdf() -> Draft {
    Draft {
        file: Some((PDF, "application/pdf")),
        ..Draft::default()
    }
}

pub(crate) fn connect(url: &str) -> Database {
    Database::connect(url, 8, LIMIT).unwrap()
}

pub(crate) fn settings() -> SendSettings {
    SendSettings {
        unconfirmed_grace: GRACE,
        max_resends: 2,
        pair: None,
        pauses: Pauses {
            echo: ECHO,
            credential: Duration::from_secs(30),
            account: Duration::from_mins(5),
            template: Duration::from_mins(10),
            longest: 72 * HOUR,
        },
    }
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
        files: AttachmentStore::in_memory(),
        worker,
        test,
        clock,
        master_keys,
        index_key,
    }
}

impl Stage {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) async fn lab(&self) -> Lab {
        self.lab_with(UnconfirmedPolicy::Park).await
    }

    pub(crate) async fn lab_with(&self, unconfirmed_policy: UnconfirmedPolicy) -> Lab {
        let (now, vendor) = (self.now(), VendorId::new_at(self.now()));
        let tenant = Tenant {
            id: TenantId::new_at(now),
            vendor_id: vendor,
            name: "Sunrise Diagnostics".to_owned(),
            contact_email: "lab@example.org".to_owned(),
            region: "IN".parse().unwrap(),
            language: Language::English,
            unconfirmed_policy,
            created_at: now,
        };
        let number = SenderNumberId::new_at(now);
        let sender_number = SenderNumber {
            id: number,
            tenant_id: tenant.id,
            phone_number_id: format!("phone-{number}"),
            waba_id: "200".to_owned(),
            display_phone_number: "+91 80 4718 2201".to_owned(),
            rate_per_second: 100.0,
            burst: 100,
            app_key: Some("main".to_owned()),
        };
        let mut tx = self.owner.begin().await.unwrap();
        insert_vendor(&mut tx, vendor, "a vendor", now)
            .await
            .unwrap();
        let app = WebhookApp {
            key: "main".to_owned(),
            app_secret: vec![1],
            verify_token: vec![2],
            tenant_id: None,
        };
        upsert_app(&mut tx, &app, now).await.unwrap();
        insert_tenant(&mut tx, &tenant).await.unwrap();
        insert_sender_number(&mut tx, &sender_number, now)
            .await
            .unwrap();
        let records = self.keys.create_tenant(&mut tx, tenant.id, now).await;
        let lab = Lab {
            tenant: tenant.id,
            number,
            records: records.unwrap(),
        };
        self.store_token(&mut tx, &lab, TOKEN).await;
        tx.commit().await.unwrap();
        lab
    }

    /// What the gateway does when a token is put.
    pub(crate) async fn store_token(&self, tx: &mut Connection, lab: &Lab, token: &str) {
        let credential = NewCredential {
            id: CredentialId::new_at(self.now()),
            tenant_id: lab.tenant,
            sender_number_id: lab.number,
            access_token: lab.records.seal_access_token(token),
            last_four: "oken".to_owned(),
        };
        upsert_credential(tx, &credential, self.now())
            .await
            .unwrap();
        let scope = Scope::credential(lab.number);
        work::resume(tx, &scope, self.now()).await.unwrap();
    }

    pub(crate) async fn template(
        &self,
        lab: &Lab,
        (name, language, header): (&str, &str, &str),
        parameters: &[&str],
    ) -> TemplateId {
        let template = Template {
            id: TemplateId::new_at(self.now()),
            tenant_id: lab.tenant,
            name: name.to_owned(),
            language: language.to_owned(),
            parameters: parameters.iter().map(ToString::to_string).collect(),
            header: header.to_owned(),
        };
        let mut connection = self.owner.acquire().await.unwrap();
        upsert_template(&mut connection, &template, self.now())
            .await
            .unwrap();
        template.id
    }

    /// The patient wrote: free-form messages are allowed for this long.
    pub(crate) async fn window(&self, lab: &Lab, left: Duration) {
        let window = Window {
            sender_number_id: lab.number,
            contact_hash: lab.records.contact_hash(PHONE),
            tenant_id: lab.tenant,
            expires_at: self.now() + left,
        };
        let mut connection = self.owner.acquire().await.unwrap();
        open_windows(&mut connection, &[window]).await.unwrap();
    }

    /// A lab whose patient just wrote, and a text for that patient.
    pub(crate) async fn text(&self) -> (Lab, MessageId) {
        let lab = self.lab().await;
        self.window(&lab, 24 * HOUR).await;
        let id = self.accept(&lab, Draft::default()).await;
        (lab, id)
    }

    pub(crate) async fn accept(&self, lab: &Lab, draft: Draft) -> MessageId {
        let now = self.now();
        let attachment = match draft.file {
            Some((bytes, media_type)) => Some(self.store(lab, bytes, media_type).await),
            None => None,
        };
        let content = ReportContent {
            patient_name: Some(PATIENT.to_owned()),
            test_name: Some("CBC".to_owned()),
            doctor_name: draft.doctor,
            report_date: NaiveDate::from_ymd_opt(2026, 11, 20),
            text: TEXT.to_owned(),
            language: draft.language,
        };
        let phone = PhoneNumber::from_wa_id(PHONE).unwrap();
        let message = Message {
            id: MessageId::new_at(now),
            tenant_id: lab.tenant,
            sender_number_id: lab.number,
            lane: domain::Lane::Report,
            recipient: lab.records.seal_recipient(&phone),
            recipient_hash: lab.records.contact_hash(phone.as_e164()),
            content: lab.records.seal_report(&content).unwrap(),
            attachment_id: attachment.as_ref().map(|attachment| attachment.id),
            expires_at: now + draft.lifetime,
            created_at: now,
        };
        let id = message.id;
        let new = NewMessage {
            message,
            attachment,
            idempotency_key: None,
            traceparent: None,
        };
        let mut tx = self.owner.begin().await.unwrap();
        accept(&mut tx, &[new], now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn store(&self, lab: &Lab, bytes: &'static [u8], media_type: &str) -> Attachment {
        let id = AttachmentId::new_at(self.now());
        let key = ObjectKey::new(lab.tenant.as_uuid(), id.as_uuid());
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(bytes))]);
        self.files
            .put(&key, lab.records.file_key(), body, 1024)
            .await
            .unwrap();
        Attachment {
            id,
            tenant_id: lab.tenant,
            media_type: media_type.to_owned(),
            size_bytes: 20,
            sha256: vec![0; 32],
            filename: lab.records.seal_filename(FILENAME),
            created_at: self.now(),
        }
    }

    fn deps(&self) -> Deps {
        Deps {
            database: self.worker.clone(),
            broker: Broker::in_process(),
            clock: self.clock.clone(),
        }
    }

    /// What an engine would ask.
    pub(crate) fn handler<P: Provider + Clone>(&self, provider: P) -> SendHandler<P> {
        let (keys, files) = (self.keys.clone(), self.files.clone());
        SendHandler::new(self.deps(), keys, files, provider, settings())
    }

    /// The one claim whose lease is over, taken over for no time at all.
    pub(crate) async fn take_over(&self, tx: &mut Connection) -> Claim {
        let everywhere: Vec<i16> = (0..domain::PARTITIONS).collect();
        let (now, kind) = (self.now(), WorkKind::Send);
        let taken = claim_abandoned(tx, kind, &everywhere, now, now).await;
        taken.unwrap().remove(0)
    }

    /// A running engine, one second later: a new owner of partitions knows nothing of their limits, and waits for a token.
    pub(crate) async fn engine<P>(&self, provider: P) -> Running
    where
        P: Provider + Clone + Send + Sync + 'static,
    {
        let deps = self.deps();
        let (keys, files) = (self.keys.clone(), self.files.clone());
        let handler = SendHandler::new(deps.clone(), keys, files, provider, settings());
        let settings = Settings {
            claim_lease: LEASE,
            poll: Duration::from_millis(20),
            // Tests move time by days; their partitions stay theirs.
            partition_lease: 10_000 * HOUR,
            ..Settings::default()
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let engine = Engine::new(handler, deps, settings);
        let turns = Arc::new(AtomicUsize::new(0));
        let turn = Arc::clone(&turns);
        tasks.spawn(engine.run(stop.clone(), CancellationToken::new(), move || {
            turn.fetch_add(1, Ordering::SeqCst);
        }));
        let owned = "SELECT 1 FROM partition_owners WHERE kind = 'send'";
        let all = usize::try_from(domain::PARTITIONS).unwrap();
        eventually(LIMIT, async || self.test.rows(owned).await.len() == all).await;
        let running = Running { stop, tasks, turns };
        // Its buckets are empty when it takes the partitions, and not when it is seen to own them.
        running.look().await;
        self.clock.advance(Duration::from_secs(1));
        running
    }

    /// The part of a message that changes.
    pub(crate) async fn state(&self, id: MessageId) -> Value {
        let query = format!(
            "SELECT * FROM message_state WHERE message_id = '{}'",
            id.as_uuid()
        );
        self.test.rows(&query).await.remove(0)
    }

    pub(crate) async fn until_state(&self, id: MessageId, state: &str) -> Value {
        eventually(LIMIT, async || {
            let row = self.state(id).await;
            if row["state"] == state {
                Ok(row)
            } else {
                Err(row)
            }
        })
        .await
    }

    /// Until that many tries are recorded.
    pub(crate) async fn until_attempts(&self, id: MessageId, attempts: i64) -> Value {
        eventually(LIMIT, async || {
            let row = self.state(id).await;
            if row["attempts"] == attempts {
                Ok(row)
            } else {
                Err(row)
            }
        })
        .await
    }

    /// What remains to be done for a message.
    pub(crate) async fn work(&self, id: MessageId) -> Option<Value> {
        let query = format!(
            "SELECT state, due_at, failures, hold_scope, reason FROM work WHERE kind = 'send' AND subject = '{}'",
            id.as_uuid()
        );
        self.test.rows(&query).await.pop()
    }

    pub(crate) async fn until_held(&self, id: MessageId) -> Value {
        eventually(LIMIT, async || {
            self.work(id).await.filter(|work| work["state"] == "held")
        })
        .await
    }

    /// How long from now a message's work waits.
    pub(crate) async fn due_in(&self, id: MessageId) -> Duration {
        self.wait_of(id).await.to_std().unwrap()
    }

    /// Until the releaser has put a message's work off for so long: a pause is recorded before that.
    pub(crate) async fn until_due_in(&self, id: MessageId, wait: Duration) {
        eventually(LIMIT, async || {
            let seen = self.wait_of(id).await;
            if seen.to_std() == Ok(wait) {
                Ok(())
            } else {
                Err(seen)
            }
        })
        .await;
    }

    async fn wait_of(&self, id: MessageId) -> TimeDelta {
        let work = self.work(id).await.unwrap();
        let due_at: DateTime<Utc> = serde_json::from_value(work["due_at"].clone()).unwrap();
        due_at - self.now()
    }

    pub(crate) async fn pauses(&self) -> Vec<Value> {
        self.test.rows("SELECT * FROM pauses ORDER BY scope").await
    }

    /// The lines of a message's timeline, without their instants.
    pub(crate) async fn timeline(&self, id: MessageId) -> Vec<Value> {
        let query = format!(
            "SELECT kind, detail FROM timeline WHERE message_id = '{}' ORDER BY id",
            id.as_uuid()
        );
        let lines = self.test.rows(&query).await.into_iter();
        lines
            .map(|line| json!([line["kind"], line["detail"]]))
            .collect()
    }
}

/// A running engine; stops when dropped.
pub(crate) struct Running {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    turns: Arc<AtomicUsize>,
}

impl Running {
    /// Until the releaser has looked at least once more at all that there was before this call.
    pub(crate) async fn look(&self) {
        let seen = self.turns.load(Ordering::SeqCst);
        eventually(LIMIT, async || {
            self.turns.load(Ordering::SeqCst) >= seen + 3
        })
        .await;
    }

    pub(crate) async fn finish(mut self) {
        self.stop.cancel();
        while let Some(result) = self.tasks.join_next().await {
            result.unwrap();
        }
    }
}
