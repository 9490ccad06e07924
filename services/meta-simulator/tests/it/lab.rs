use std::time::Duration;

use chrono::DateTime;
use meta_simulator::{Clock, Config, Inbound, Seed, Simulator, Timing, Webhooks, start};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::{Receiver, eventually};
use tokio::net::TcpListener;

pub(crate) const NUMBER: &str = "300000000000001";
pub(crate) const WABA: &str = "200000000000001";
pub(crate) const APP: &str = "100000000000001";
pub(crate) const TOKEN: &str = "sample-token";
/// Reads by herself.
pub(crate) const MEERA: &str = "+919876543212";
/// Reads when her chat is opened.
pub(crate) const ASHA: &str = "+919876543210";
pub(crate) const NOT_ON_WHATSAPP: &str = "+919876543213";
pub(crate) const BLOCKER: &str = "+919876543214";

const PATIENCE: Duration = Duration::from_secs(10);

/// The sample laboratory, a callback that takes everything, and a clock that stands still.
pub(crate) struct Lab {
    pub(crate) simulator: Simulator,
    pub(crate) callback: Receiver,
    pub(crate) http: Client,
}

impl Lab {
    pub(crate) async fn open() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let callback = Receiver::start().await;
        let millis = Duration::from_millis;
        let mut config = Config {
            seed: Seed::sample(),
            clock: Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap()),
            timing: Timing {
                sent: millis(5),
                delivered: millis(15),
                read: millis(25),
                failed: millis(10),
                template_review: millis(10),
            },
            webhooks: Webhooks {
                retry_first: millis(10),
                ..Webhooks::default()
            },
            ..Config::default()
        };
        config.seed.apps[0].callback_url = Some(callback.url("/meta"));
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = start(config, listener).unwrap();
        let http = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self {
            simulator,
            callback,
            http,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.simulator.base_url()))
            .bearer_auth(TOKEN)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    /// Posts a message; `messaging_product` is put in.
    pub(crate) async fn send(&self, mut message: Value) -> (u16, Value) {
        message["messaging_product"] = json!("whatsapp");
        self.post(&format!("/v25.0/{NUMBER}/messages"), &message)
            .await
    }

    /// Sends a template without a file, which arrives in any window.
    pub(crate) async fn send_camp(&self, to: &str, opaque: &str) -> (u16, Value) {
        self.send(camp(to, opaque)).await
    }

    /// The patient writes, so that free-form messages arrive.
    pub(crate) fn write_in(&self, from: &str) -> String {
        self.simulator
            .inbound(Inbound::text(NUMBER, from, "hello"))
            .unwrap()
    }

    /// Every status webhook so far, in order of arrival.
    pub(crate) fn statuses(&self) -> Vec<Value> {
        elements(&self.values(), "statuses")
    }

    /// The values of every change that was sent so far.
    pub(crate) fn values(&self) -> Vec<Value> {
        let bodies = self.callback.requests();
        let entries = bodies
            .iter()
            .flat_map(|post| post.json()["entry"].as_array().unwrap().clone());
        let changes = entries.flat_map(|entry| entry["changes"].as_array().unwrap().clone());
        changes.map(|change| change["value"].clone()).collect()
    }

    /// Waits for a status of the message that carried `opaque`.
    pub(crate) async fn status(&self, opaque: &str, status: &str) -> Value {
        eventually(PATIENCE, async || {
            let all = self.statuses();
            let found = all.iter().find(|seen| {
                seen["biz_opaque_callback_data"] == opaque && seen["status"] == status
            });
            found.cloned().ok_or(all)
        })
        .await
    }

    /// Waits until `count` statuses have come, and names them.
    pub(crate) async fn status_names(&self, count: usize) -> Vec<String> {
        eventually(PATIENCE, async || {
            let all = self.statuses();
            if all.len() < count {
                return Err(all);
            }
            Ok(all
                .iter()
                .map(|status| status["status"].as_str().unwrap().to_owned())
                .collect())
        })
        .await
    }

    /// Waits for an inbound message and gives the value of its webhook.
    pub(crate) async fn inbound_value(&self, id: &str) -> Value {
        eventually(PATIENCE, async || {
            let values = self.values();
            let found = values.iter().find(|value| value["messages"][0]["id"] == id);
            found.cloned().ok_or(values)
        })
        .await
    }

    /// Waits until the ledger holds `count` messages.
    pub(crate) async fn accepted(&self, count: u64) {
        eventually(PATIENCE, async || {
            let total = self.simulator.ledger().total();
            if total == count { Ok(()) } else { Err(total) }
        })
        .await;
    }
}

pub(crate) fn camp(to: &str, opaque: &str) -> Value {
    json!({
        "to": to,
        "type": "template",
        "biz_opaque_callback_data": opaque,
        "template": {
            "name": "health_camp",
            "language": { "code": "en_US" },
            "components": [{ "type": "body", "parameters": [{ "type": "text", "text": "Sunday" }] }],
        },
    })
}

pub(crate) fn text(to: &str, opaque: &str) -> Value {
    json!({ "to": to, "type": "text", "text": { "body": "hello" }, "biz_opaque_callback_data": opaque })
}

pub(crate) fn elements(values: &[Value], list: &str) -> Vec<Value> {
    values
        .iter()
        .filter_map(|value| value[list].as_array())
        .flatten()
        .cloned()
        .collect()
}

pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

pub(crate) fn code(answer: &(u16, Value)) -> u64 {
    answer.1["error"]["code"].as_u64().unwrap_or_default()
}
