//! A gateway on a socket of its own with a database of its own, and the labs that use it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use api_gateway::Config;
use attachments::{AttachmentStore, ObjectKey, S3Options};
use bytes::Bytes;
use domain::{ApiKeyId, AttachmentId, Clock as _, MessageId, SystemClock, TenantId, VendorId};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use sealed_records::{DataKeys, TenantRecords};
use secrecy::SecretString;
use serde_json::{Value, json};
use service_runtime::{
    Lifecycle,
    config::{Settings as _, Source},
};
use storage::{
    Database,
    api_keys::{NewApiKey, insert_api_key},
    messages::{lock_states, update_states},
    tenants::insert_vendor,
};
use tempfile::TempDir;
use testkit::TestDatabase;
use vault::{ApiKey, KeyRing};

pub(crate) const LIMIT: Duration = Duration::from_secs(10);
/// The largest report file of these tests: small, so that exceeding it is quick.
pub(crate) const MAX_FILE: usize = 256 * 1024;
pub(crate) const PDF: &[u8] = b"%PDF-1.7 the quick brown fox jumps over the lazy dog";
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and then some pixels";

pub(crate) struct App {
    pub(crate) database: TestDatabase,
    pub(crate) owner: Database,
    pub(crate) worker: Database,
    pub(crate) client: Client,
    pub(crate) vendor_key: String,
    pub(crate) folder: TempDir,
    address: SocketAddr,
    keys: DataKeys,
    lifecycle: Lifecycle,
}

/// A registered lab.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) callback_secret: Option<String>,
}

impl Lab {
    pub(crate) fn tenant(&self) -> TenantId {
        self.id.parse().unwrap()
    }
}

impl App {
    pub(crate) async fn start() -> Self {
        let database = testkit::database().await;
        let gateway_url = database.gateway_url.clone();
        Self::start_through(database, gateway_url, &[]).await
    }

    /// With settings of its own, reaching the database at `gateway_url`.
    pub(crate) async fn start_through(
        database: TestDatabase,
        gateway_url: String,
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (master_keys, index_key) = (KeyRing::generate_spec(), KeyRing::generate_index_key());
        let url = format!("file://{}", folder.path().display());
        let pairs = [
            ("LABWIRE_POSTGRES__URL", gateway_url.as_str()),
            ("LABWIRE_POSTGRES__MAX_CONNECTIONS", "4"),
            ("LABWIRE_VAULT__MASTER_KEYS", &master_keys),
            ("LABWIRE_VAULT__INDEX_KEY", &index_key),
            ("LABWIRE_ATTACHMENTS__URL", &url),
            ("LABWIRE_GATEWAY__MAX_FILE", "256KiB"),
        ];
        let source = Source::from_pairs(pairs).with_pairs(settings.iter().copied());
        let config = Config::from_source(&source).unwrap();
        let owner = connect(&database.owner_url);
        let worker = connect(&database.worker_url);
        let ring = KeyRing::parse(
            &SecretString::from(master_keys.clone()),
            &SecretString::from(index_key.clone()),
        );
        let keys = DataKeys::new(worker.clone(), ring.unwrap(), Arc::new(SystemClock));
        let lifecycle = Lifecycle::for_tests();
        let listener = service_runtime::listener(([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        api_gateway::serve(config, listener, lifecycle.clone())
            .await
            .unwrap();
        lifecycle.until_ready().await;
        let vendor_key = insert_vendor_with_key(&owner).await;
        Self {
            database,
            owner,
            worker,
            client: Client::builder().build().unwrap(),
            vendor_key,
            folder,
            address,
            keys,
            lifecycle,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, key: &str, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(key)
    }

    pub(crate) fn post(&self, key: &str, path: &str) -> RequestBuilder {
        self.client.post(self.url(path)).bearer_auth(key)
    }

    pub(crate) fn put(&self, key: &str, path: &str) -> RequestBuilder {
        self.client.put(self.url(path)).bearer_auth(key)
    }

    pub(crate) async fn register(&self, body: &Value) -> Response {
        let request = self.post(&self.vendor_key, "/api/labs/register");
        request.json(body).send().await.unwrap()
    }

    /// A lab that can send everything, under this name.
    pub(crate) async fn lab(&self, number: &str) -> Lab {
        self.lab_of(&registration(number)).await
    }

    pub(crate) async fn lab_of(&self, body: &Value) -> Lab {
        let registered = self.register(body).await;
        let registered = body_of(registered, StatusCode::CREATED).await;
        Lab {
            id: text(&registered, "lab_id"),
            key: text(&registered, "api_key"),
            callback_secret: registered["callback_secret"].as_str().map(str::to_owned),
        }
    }

    pub(crate) fn report(&self, lab: &Lab, body: &Value) -> RequestBuilder {
        self.post(&lab.key, "/api/messages/send-report").json(body)
    }

    pub(crate) async fn send(&self, lab: &Lab, body: &Value) -> Response {
        self.report(lab, body).send().await.unwrap()
    }

    /// Sends a report that is accepted.
    pub(crate) async fn accepted(&self, lab: &Lab, body: &Value) -> MessageId {
        let accepted = body_of(self.send(lab, body).await, StatusCode::ACCEPTED).await;
        text(&accepted, "message_id").parse().unwrap()
    }

    /// The problem that a report is refused with.
    pub(crate) async fn refused(&self, lab: &Lab, body: &Value) -> Value {
        problem(self.send(lab, body).await).await
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        let rows = self
            .database
            .rows(&format!("select count(*) as count from {table}"))
            .await;
        rows[0]["count"].as_i64().unwrap()
    }

    pub(crate) async fn records(&self, lab: &Lab) -> TenantRecords {
        // The workers see every tenant's rows, so this opens what the gateway sealed.
        self.keys.tenant(lab.tenant()).await.unwrap()
    }

    /// The bytes of a stored report file.
    pub(crate) async fn file(&self, lab: &Lab, id: AttachmentId) -> Bytes {
        let url = format!("file://{}", self.folder.path().display());
        let store =
            AttachmentStore::from_url(&url.parse().unwrap(), &S3Options::default()).unwrap();
        let key = ObjectKey::new(lab.tenant().as_uuid(), id.as_uuid());
        let records = self.records(lab).await;
        store
            .get_bytes(&key, records.file_key(), u64::MAX)
            .await
            .unwrap()
    }

    /// How many files lie in the attachment folder, finished or not.
    pub(crate) fn files(&self) -> usize {
        count_files(self.folder.path())
    }

    /// Changes what became of a message, as the workers would.
    pub(crate) async fn update(
        &self,
        id: MessageId,
        change: impl FnOnce(&mut storage::messages::MessageRow),
    ) {
        let mut tx = self.worker.begin().await.unwrap();
        let mut rows = lock_states(&mut tx, &[id]).await.unwrap();
        change(&mut rows[0]);
        update_states(&mut tx, &rows).await.unwrap();
        tx.commit().await.unwrap();
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.lifecycle.stop();
        self.lifecycle.hard().cancel();
    }
}

pub(crate) fn connect(url: &str) -> Database {
    Database::connect(url, 2, LIMIT).unwrap()
}

async fn insert_vendor_with_key(owner: &Database) -> String {
    let now = SystemClock.now();
    let (vendor, id) = (VendorId::new_at(now), ApiKeyId::new_at(now));
    let (text, hash) = ApiKey::generate(id.as_uuid());
    let key = NewApiKey {
        id,
        vendor_id: vendor,
        tenant_id: None,
        hash: *hash.as_bytes(),
        name: "test".to_owned(),
    };
    let mut tx = owner.begin().await.unwrap();
    insert_vendor(&mut tx, vendor, "A LIMS", now).await.unwrap();
    insert_api_key(&mut tx, &key, now).await.unwrap();
    tx.commit().await.unwrap();
    text.expose().to_owned()
}

fn count_files(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { count_files(&path) } else { 1 })
        .sum()
}

/// A lab with a number and templates for a document, an image and a bare text, in English.
pub(crate) fn registration(number: &str) -> Value {
    let template = |header: &str| {
        json!({
            "name": format!("report_{header}"),
            "language": "en_US",
            "header": header,
            "parameters": ["patient_name", "test_name"],
        })
    };
    json!({
        "lab_name": "ABC Pathology Lab",
        "contact_email": "admin@abclab.example",
        "whatsapp_number": "+919812345678",
        "sender": {
            "phone_number_id": number,
            "waba_id": "102290129340398",
            "access_token": format!("EAAG-token-of-{number}-wxyz"),
        },
        "templates": [template("document"), template("image"), template("none")],
    })
}

/// A report that every lab of [`registration`] can send.
pub(crate) fn report() -> Value {
    json!({
        "patient_phone": "+919876543210",
        "patient_name": "Asha Rao",
        "message": "Dear {{patient_name}}, your {{test_name}} report of {{report_date}} is ready.",
        "test_name": "Complete Blood Count",
        "doctor_name": "Dr. Smith",
        "report_date": "2019-08-04",
        "report_file": base64(PDF),
    })
}

/// The same with these fields changed; `null` takes a field away.
pub(crate) fn report_with(changes: Value) -> Value {
    merged(report(), changes)
}

pub(crate) fn merged(mut body: Value, changes: Value) -> Value {
    let fields = body.as_object_mut().unwrap();
    let Value::Object(changes) = changes else {
        unreachable!("changes are an object")
    };
    for (name, value) in changes {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
    body
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub(crate) fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn body_of(response: Response, status: StatusCode) -> impl Future<Output = Value> {
    let caller = std::panic::Location::caller();
    async move {
        let found = response.status();
        let body = response.text().await.unwrap();
        assert_eq!(found, status, "{caller}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// A problem's body, without the request id, which differs every time.
pub(crate) async fn problem(response: Response) -> Value {
    let status = response.status();
    let media_type = response.headers().get(header::CONTENT_TYPE).cloned();
    let text = response.text().await.unwrap();
    assert_eq!(
        media_type.unwrap(),
        "application/problem+json",
        "{status}: {text}"
    );
    let mut body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["status"], status.as_u16());
    assert!(
        body.as_object_mut().unwrap().remove("request_id").is_some(),
        "{text}"
    );
    body
}
