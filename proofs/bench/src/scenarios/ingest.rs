use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::Sha256;
use stage::{Platform, Service};

use crate::{
    client::post,
    load::{Answered, Load, drive},
};

/// Different webhooks; after that they come again.
const WEBHOOKS: usize = 2_000;

/// Signed webhooks as they go over the wire: of ten, eight with one status, one with ten of them, one with an inbound text.
pub(crate) struct Webhooks {
    requests: Vec<Vec<u8>>,
    /// As long as the average.
    pub(crate) typical: Vec<u8>,
}

impl Webhooks {
    pub(crate) fn new(platform: &Platform) -> Self {
        let secret = platform.provider.app_secret().expose_secret();
        let bodies: Vec<Vec<u8>> = (0..WEBHOOKS).map(body).collect();
        let total: usize = bodies.iter().map(Vec::len).sum();
        let requests = bodies.iter().map(|body| signed(secret, body)).collect();
        Self {
            requests,
            typical: vec![b'w'; total / WEBHOOKS],
        }
    }

    pub(crate) fn get(&self, number: u64) -> Vec<u8> {
        let place = usize::try_from(number).unwrap_or(0) % self.requests.len().max(1);
        self.requests.get(place).cloned().unwrap_or_default()
    }
}

fn signed(secret: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| unreachable!("any length will do"));
    mac.update(body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let headers = [
        ("user-agent", "facebookexternalua"),
        ("x-hub-signature-256", signature.as_str()),
    ];
    post("/webhooks/meta/main", &headers, body)
}

fn body(number: usize) -> Vec<u8> {
    let value = match number % 10 {
        8 => json!({ "statuses": (0..10).map(|it| status(number * 10 + it)).collect::<Vec<_>>() }),
        9 => json!({ "messages": [message(number)] }),
        _ => json!({ "statuses": [status(number)] }),
    };
    let mut value = value;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("messaging_product".to_owned(), json!("whatsapp"));
        let metadata =
            json!({ "display_phone_number": "918047182200", "phone_number_id": "300000000000001" });
        fields.insert("metadata".to_owned(), metadata);
    }
    let envelope = json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": "200000000000001", "changes": [{ "field": "messages", "value": value }] }],
    });
    envelope.to_string().into_bytes()
}

fn status(number: usize) -> Value {
    let status = match number % 3 {
        0 => "sent",
        1 => "delivered",
        _ => "read",
    };
    json!({
        "id": format!("wamid.BENCH{number:020}"), "status": status,
        "timestamp": "1790000000", "recipient_id": format!("9198{number:08}"),
        "conversation": { "id": format!("{number:032x}"), "origin": { "type": "utility" } },
        "pricing": { "billable": true, "pricing_model": "PMP", "category": "utility", "type": "regular" },
    })
}

fn message(number: usize) -> Value {
    json!({
        "from": format!("9197{number:08}"), "id": format!("wamid.INBOUND{number:020}"), "timestamp": "1790000000",
        "type": "text", "text": { "body": "Thank you, I have received my report." },
    })
}

/// Webhooks that are made durable in a second.
pub(crate) async fn measure(
    platform: &Platform,
    webhooks: Arc<Webhooks>,
    load: Load,
) -> anyhow::Result<Answered> {
    let address = platform.address(Service::WebhookIngest)?;
    let load = Load {
        expected: 200,
        ..load
    };
    drive(address, load, move |number| webhooks.get(number)).await
}
