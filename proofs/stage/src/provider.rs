use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use meta_simulator::{Config, Limits, Simulator, Webhooks};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::labs::{APP_ID, APP_KEY, Labs};

/// The provider: the simulator, with webhooks that are tried again soon.
#[derive(Clone)]
pub struct Provider {
    simulator: Simulator,
    verify_token: SecretString,
    app_secret: SecretString,
}

impl Provider {
    pub(crate) async fn start(labs: &Labs, keep_alive: bool) -> anyhow::Result<Self> {
        let (app_secret, verify_token) = (vault::random_secret(), vault::random_secret());
        let config = Config {
            seed: labs.accounts(&app_secret),
            webhooks: Webhooks {
                timeout: Duration::from_secs(5),
                keep_alive,
                retry_longest: Duration::from_secs(2),
                ..Webhooks::default()
            },
            // Nor does its limit to one recipient: what is to be proven is ours.
            limits: Limits {
                pair_interval: Duration::ZERO,
                ..Limits::default()
            },
            ..Config::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let simulator = meta_simulator::start(config, listener).context("simulator")?;
        Ok(Self {
            simulator,
            verify_token,
            app_secret,
        })
    }

    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    pub fn app_secret(&self) -> &SecretString {
        &self.app_secret
    }

    pub(crate) fn verify_token(&self) -> &SecretString {
        &self.verify_token
    }

    /// From now on webhooks go there.
    pub(crate) async fn call_back(&self, ingest: SocketAddr) -> anyhow::Result<()> {
        let url = webhook_url(ingest);
        let token = self.verify_token.clone();
        let verified = self.simulator.set_webhook(APP_ID, &url, token).await;
        verified.context("the webhook was not verified")
    }

    /// What it has accepted and what became of it, one value for each message.
    pub fn ledger(&self) -> impl Iterator<Item = impl Serialize> {
        self.simulator.ledger().entries().into_iter()
    }

    /// Whether every webhook that it had to send was taken.
    pub fn has_told_all(&self) -> bool {
        let entries = self.simulator.ledger().entries();
        entries.iter().flat_map(|it| &it.fate).all(|fate| fate.told)
    }

    /// The webhook of a status, as the provider would send it.
    pub fn status_webhook(&self, phone_number_id: &str, waba_id: &str, status: &Value) -> Value {
        json!({
            "object": "whatsapp_business_account",
            "entry": [{ "id": waba_id, "changes": [{ "field": "messages", "value": {
                "messaging_product": "whatsapp",
                "metadata": { "display_phone_number": "0", "phone_number_id": phone_number_id },
                "statuses": [status],
            }}]}],
        })
    }
}

pub(crate) fn webhook_url(ingest: SocketAddr) -> String {
    format!("http://{ingest}/webhooks/meta/{APP_KEY}")
}
