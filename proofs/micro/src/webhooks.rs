use std::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use providers::meta::webhook::{Item, parse};
use secrecy::SecretString;
use sha2::Sha256;
use webhook_ingest::is_signed;

const SECRET: &str = "0d4f1c2b3a59687766554433221100ff";

const STATUS: &str = r#"{"id":"wamid.HBgMOTE5ODc2NTQzMjEwFQIAERgSQUI2NzNDM0Q4RTlGMDE4Q0E1AA==","status":"delivered","timestamp":"1767225600","recipient_id":"919876543210","biz_opaque_callback_data":"019b76da-a800-7000-8000-000000000001","conversation":{"id":"7a1f0c9e5d3b48269c0d1e2f3a4b5c6d","origin":{"type":"utility"}},"pricing":{"billable":true,"pricing_model":"PMP","category":"utility"}}"#;

const INBOUND: &str = r#"{"from":"919876543210","id":"wamid.HBgMOTE5ODc2NTQzMjEwFQIAEhggQUM4QTY1RjA5QjNEMUUyNwA=","timestamp":"1767225600","type":"text","text":{"body":"\u0927\u0928\u094d\u092f\u0935\u093e\u0926, is fasting needed for the next one?"},"context":{"from":"15550783881","id":"wamid.HBgMOTE5ODc2NTQzMjEwFQIAERgSQUI2NzNDM0Q4RTlGMDE4Q0E1AA=="}}"#;

const CONTACTS: &str = r#""contacts":[{"profile":{"name":"Asha Rao"},"wa_id":"919876543210"}],"#;

/// A webhook's body as Meta writes it, with these members beside the metadata.
fn envelope(members: &str) -> Vec<u8> {
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"102290129340398","changes":[{{"value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"15550783881","phone_number_id":"106540352242922"}},{members}}},"field":"messages"}}]}}]}}"#
    )
    .into_bytes()
}

fn statuses(count: usize) -> Vec<u8> {
    envelope(&format!(
        r#""statuses":[{}]"#,
        vec![STATUS; count].join(",")
    ))
}

/// A status whose signature is right, so that nothing is cut short.
pub fn check_signature() -> impl FnMut() {
    let secret = SecretString::from(SECRET);
    let body = statuses(1);
    let mut mac =
        Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("an HMAC key may have any length");
    mac.update(&body);
    let header = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    move || assert!(is_signed(&secret, header.as_bytes(), black_box(&body)))
}

pub fn parse_status() -> impl FnMut() {
    parsed(statuses(1), 1)
}

pub fn parse_inbound() -> impl FnMut() {
    parsed(envelope(&format!(r#"{CONTACTS}"messages":[{INBOUND}]"#)), 1)
}

/// A thousand statuses in one body, the most that Meta sends together.
pub fn parse_batch() -> impl FnMut() {
    parsed(statuses(1000), 1000)
}

fn parsed(body: Vec<u8>, expected: usize) -> impl FnMut() {
    move || {
        let items = parse(black_box(&body)).expect("the body is a webhook of Meta's");
        assert!(items.len() == expected && !matches!(items.first(), Some(Item::Malformed { .. })));
    }
}
