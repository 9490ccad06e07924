//! The Graph API's client against servers that behave and misbehave, its error table, its webhooks.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, these are assertions"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "json! makes values, and passing them on reads best"
)]

mod client;
mod error_codes;
mod faults;
mod management;
mod payload;
mod privacy;
mod server;
mod webhook;
mod webhook_odd;

use std::time::Duration;

use domain::{MessageId, PhoneNumber};
use providers::{Content, OutboundMessage, Sender, meta::MetaClient};
use reqwest::{ClientBuilder, redirect};

const TOKEN: &str = "EAAG-a-token";

fn http() -> ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(Duration::from_secs(10))
}

fn client_of(http: ClientBuilder, base_url: &str) -> MetaClient {
    let http = http.build().unwrap();
    MetaClient::new(http, base_url.parse().unwrap(), "v25.0".to_owned())
}

fn client(base_url: &str) -> MetaClient {
    client_of(http(), base_url)
}

fn sender() -> Sender {
    Sender {
        phone_number_id: "106540352242922".to_owned(),
        token: TOKEN.into(),
    }
}

fn message(content: Content) -> OutboundMessage {
    OutboundMessage {
        to: PhoneNumber::from_wa_id("919876543210").unwrap(),
        opaque: "msg_019380000000700080000000000000aa"
            .parse::<MessageId>()
            .unwrap(),
        content,
    }
}

fn text() -> OutboundMessage {
    message(Content::Text {
        body: "Your report is ready.".to_owned(),
        preview_url: false,
    })
}
