//! A lab and its LIMS: posts reports, asks for their fate, verifies callbacks.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use meta_simulator::Number;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::{eventually, receiver::Received};

use crate::platform::{LIMIT, Platform};

/// The number of the simulator's sample laboratory.
pub(crate) const NUMBER: &str = "300000000000001";

pub(crate) const WABA: &str = "200000000000001";

/// A registered lab.
pub(crate) struct Lab<'a> {
    platform: &'a Platform,
    id: String,
    key: String,
    callback_path: String,
    callback_secret: String,
}

/// A callback whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callback {
    pub(crate) webhook_id: String,
    pub(crate) kind: String,
    pub(crate) message_id: Option<String>,
    pub(crate) state: Option<String>,
}

/// What a lab may be registered with.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) rate_per_second: u32,
    pub(crate) burst: u32,
    pub(crate) unconfirmed_policy: &'static str,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            rate_per_second: 50,
            burst: 20,
            unconfirmed_policy: "park",
        }
    }
}

impl<'a> Lab<'a> {
    pub(crate) async fn register(platform: &'a Platform, terms: Terms) -> Self {
        Self::register_with(platform, NUMBER, terms).await
    }

    /// A lab with a number of its own, which the provider learns of.
    pub(crate) async fn register_another(platform: &'a Platform, place: u32) -> Self {
        let number = format!("3000000001{place:05}");
        let known = Number::new(&number, WABA, format!("9180472{place:05}"));
        platform.simulator.add_number(known);
        Self::register_with(platform, &number, Terms::default()).await
    }

    async fn register_with(platform: &'a Platform, number: &str, terms: Terms) -> Self {
        let callback_path = format!("/callback/{number}");
        let template = |language: &str| {
            json!({
                "name": "report_ready", "language": language, "header": "document",
                "parameters": ["patient_name", "test_name", "lab_name"],
            })
        };
        let body = json!({
            "lab_name": "Sunrise Diagnostics",
            "contact_email": "desk@sunrise.example",
            "whatsapp_number": "+91 80 4718 2200",
            "unconfirmed_policy": terms.unconfirmed_policy,
            "sender": {
                "phone_number_id": number,
                "waba_id": WABA,
                "access_token": "sample-token",
                "rate_per_second": terms.rate_per_second,
                "burst": terms.burst,
            },
            "templates": [template("en_US"), template("hi")],
            "callback": { "url": platform.receiver.url(&callback_path) },
        });
        let request = (Method::POST, "/api/labs/register", &*platform.vendor_key);
        let (status, lab) = call(platform, request, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{lab}");
        let text = |name: &str| lab[name].as_str().unwrap().to_owned();
        Self {
            platform,
            id: text("lab_id"),
            key: text("api_key"),
            callback_path,
            callback_secret: text("callback_secret"),
        }
    }

    /// Posts a report and returns the message's id.
    pub(crate) async fn post(&self, phone: &str, pdf: &[u8]) -> String {
        let body = json!({
            "patient_phone": phone,
            "patient_name": "Meera Nair",
            "test_name": "Lipid Profile",
            "report_file": STANDARD.encode(pdf),
            "report_filename": "lipids.pdf",
        });
        let request = (Method::POST, "/api/messages/send-report", &*self.key);
        let (status, answer) = call(self.platform, request, &body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        answer["message_id"].as_str().unwrap().to_owned()
    }

    /// One report to each of so many patients.
    pub(crate) async fn post_many(&self, count: usize) -> Vec<String> {
        let posts =
            (0..count).map(|index| async move { self.post(&phone(index), &pdf(index)).await });
        futures::future::join_all(posts).await
    }

    pub(crate) async fn status(&self, message_id: &str) -> Value {
        let path = format!("/api/messages/{message_id}/status");
        let (status, answer) =
            call(self.platform, (Method::GET, &path, &self.key), &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// Says what is known of a message in doubt, and returns its state.
    pub(crate) async fn resolve(&self, message_id: &str, fate: &str) -> String {
        let path = format!("/api/messages/{message_id}/resolve");
        let body = json!({ "as": fate });
        let (status, answer) = call(self.platform, (Method::POST, &path, &self.key), &body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["status"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn until_parked(&self, message_id: &str) {
        let path = format!("/api/messages/{}/history?status=unconfirmed", self.id);
        eventually(LIMIT, async || {
            let request = (Method::GET, &*path, &*self.key);
            let (_, answer) = call(self.platform, request, &Value::Null).await;
            let messages = answer["messages"].as_array().unwrap().clone();
            messages.iter().any(|message| {
                message["message_id"] == message_id && message["unconfirmed"]["parked"] == true
            })
        })
        .await;
    }

    /// The ids of the lab's dead letters.
    pub(crate) async fn dead_letters(&self) -> Vec<String> {
        let path = format!("/api/labs/{}/dead-letters", self.id);
        let (_, answer) = call(self.platform, (Method::GET, &path, &self.key), &Value::Null).await;
        let items = answer["items"].as_array().unwrap();
        let ids = items.iter().map(|item| item["id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    }

    pub(crate) async fn replay(&self, dead_letter: &str) {
        let path = format!("/api/labs/{}/dead-letters/{dead_letter}/replay", self.id);
        let request = (Method::POST, &*path, &*self.key);
        let (status, answer) = call(self.platform, request, &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["replayed"], 1);
    }

    pub(crate) async fn state(&self, message_id: &str) -> String {
        self.status(message_id).await["status"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// How many messages there are in the lab's history in this state.
    pub(crate) async fn count(&self, state: &str) -> u64 {
        let path = format!("/api/messages/{}/history?status={state}", self.id);
        let (_, answer) = call(self.platform, (Method::GET, &path, &self.key), &Value::Null).await;
        answer["total_count"].as_u64().unwrap()
    }

    pub(crate) async fn until_state(&self, message_id: &str, state: &str) {
        eventually(LIMIT, async || {
            let status = self.status(message_id).await;
            if status["status"] == state {
                Ok(())
            } else {
                Err(status)
            }
        })
        .await;
    }

    pub(crate) async fn until_told(&self, message_id: &str, state: &str) {
        eventually(LIMIT, async || {
            self.callbacks()
                .iter()
                .any(|callback| callback.is_of(message_id, state))
        })
        .await;
    }

    /// Everything that its LIMS was told so far, in order. A signature that does not fit fails the test.
    pub(crate) fn callbacks(&self) -> Vec<Callback> {
        let requests = self.platform.receiver.requests();
        let ours = requests
            .iter()
            .filter(|request| request.path == self.callback_path);
        let verified = ours.map(|request| {
            self.verify(request);
            let body = request.json();
            let text = |value: &Value| value.as_str().map(str::to_owned);
            Callback {
                webhook_id: request.header("webhook-id").to_owned(),
                kind: body["type"].as_str().unwrap().to_owned(),
                message_id: text(&body["data"]["message_id"]),
                state: text(&body["data"]["state"]),
            }
        });
        verified.collect()
    }

    /// Standard Webhooks 1.0.
    fn verify(&self, request: &Received) {
        let key = self.callback_secret.strip_prefix("whsec_").unwrap();
        let key = STANDARD.decode(key).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let (id, timestamp) = (
            request.header("webhook-id"),
            request.header("webhook-timestamp"),
        );
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(&request.body);
        let claimed = request.header("webhook-signature").strip_prefix("v1,");
        let claimed = STANDARD.decode(claimed.unwrap()).unwrap();
        mac.verify_slice(&claimed).unwrap();
    }
}

impl Callback {
    pub(crate) fn is_of(&self, message_id: &str, state: &str) -> bool {
        self.message_id.as_deref() == Some(message_id) && self.state.as_deref() == Some(state)
    }
}

/// The mobile number of one of many patients, all of whom read what they get.
pub(crate) fn phone(index: usize) -> String {
    format!("+9198765{:05}", 50_000 + index)
}

/// A small file of its own for each patient.
pub(crate) fn pdf(index: usize) -> Vec<u8> {
    format!("%PDF-1.7\n% report {index}\n%%EOF\n").into_bytes()
}

async fn call(
    platform: &Platform,
    (method, path, key): (Method, &str, &str),
    body: &Value,
) -> (StatusCode, Value) {
    let url = format!("{}{path}", platform.api);
    let mut request = platform.http.request(method, url).bearer_auth(key);
    if !body.is_null() {
        request = request.json(body);
    }
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}
