use std::sync::Arc;

use domain::{Clock, SystemClock};
use hmac::{Hmac, KeyInit, Mac};
use queue::Broker;
use sealed_records::{DataKeys, PlatformRecords};
use secrecy::SecretString;
use service_runtime::{
    Lifecycle,
    config::{Settings, Source},
};
use sha2::Sha256;
use storage::{
    Database,
    webhook_apps::{WebhookApp, upsert_app},
};
use testkit::{TcpProxy, TestDatabase};
use tokio::net::TcpListener;
use vault::KeyRing;

pub(crate) const APP: &str = "main";
pub(crate) const VERIFY_TOKEN: &str = "let-me-in";
const APP_SECRET: &str = "app_secret";

/// A running ingest whose connections to the database can be cut.
pub(crate) struct Harness {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) database: TestDatabase,
    pub(crate) broker: Broker,
    pub(crate) proxy: TcpProxy,
    owner: Database,
    keys: DataKeys,
    _lifecycle: Lifecycle,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        let database = testkit::database().await;
        let (master, index) = (KeyRing::generate_spec(), KeyRing::generate_index_key());
        let upstream: url::Url = database.ingest_url.parse().unwrap();
        let upstream = format!(
            "{}:{}",
            upstream.host_str().unwrap(),
            upstream.port().unwrap()
        )
        .parse()
        .unwrap();
        let proxy = TcpProxy::start(upstream).await;
        let through = testkit::database::through(&database.ingest_url, proxy.address());
        let source = Source::from_pairs([
            ("LABWIRE_POSTGRES__URL", through.as_str()),
            ("LABWIRE_POSTGRES__ACQUIRE_TIMEOUT", "1s"),
            ("LABWIRE_VAULT__MASTER_KEYS", &master),
            ("LABWIRE_VAULT__INDEX_KEY", &index),
            ("LABWIRE_INGEST__COMMIT_TIMEOUT", "2s"),
        ]);
        let config = webhook_ingest::Config::from_source(&source).unwrap();
        let ring = KeyRing::parse(
            &SecretString::from(master.as_str()),
            &SecretString::from(index.as_str()),
        )
        .unwrap();
        let owner =
            Database::connect(&database.owner_url, 2, config.postgres.acquire_timeout).unwrap();
        let keys = DataKeys::new(owner.clone(), ring, Arc::new(SystemClock));
        let mut connection = owner.acquire().await.unwrap();
        let platform = keys
            .ensure_platform(&mut connection, SystemClock.now())
            .await
            .unwrap();
        let app = WebhookApp {
            key: APP.to_owned(),
            app_secret: platform.seal_app_secret(APP_SECRET),
            verify_token: platform.seal_verify_token(VERIFY_TOKEN),
            tenant_id: None,
        };
        upsert_app(&mut connection, &app, SystemClock.now())
            .await
            .unwrap();
        drop(connection);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (broker, lifecycle) = (Broker::in_process(), Lifecycle::for_tests());
        webhook_ingest::serve(&config, broker.clone(), listener, &lifecycle).unwrap();
        let http = reqwest::Client::builder().build().unwrap();
        Self {
            url,
            http,
            database,
            broker,
            proxy,
            owner,
            keys,
            _lifecycle: lifecycle,
        }
    }

    pub(crate) async fn post(
        &self,
        app: &str,
        body: &str,
        signature: Option<&str>,
    ) -> reqwest::Response {
        let mut request = self
            .http
            .post(format!("{}/webhooks/meta/{app}", self.url))
            .body(body.to_owned());
        request = request.header("authorization", "Bearer not-for-the-record");
        if let Some(signature) = signature {
            request = request.header("x-hub-signature-256", signature);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn platform(&self) -> PlatformRecords {
        let mut connection = self.owner.acquire().await.unwrap();
        self.keys
            .ensure_platform(&mut connection, SystemClock.now())
            .await
            .unwrap()
    }
}

pub(crate) fn sign(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(APP_SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
