use bytes::Bytes;
use reqwest::{Body, Client, header::CONTENT_TYPE, multipart};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    exchange::{exchange, lost},
    payload,
};
use crate::{Accepted, MediaId, MediaUpload, OutboundMessage, Provider, SendError, Sender};

/// The Graph API, for any number of numbers and tokens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MetaClient {
    pub(super) http: Client,
    base_url: Url,
    version: String,
}

/// Only the id must be there: nothing else in the answer may make an accepted message doubtful.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
struct Sent {
    wamid: String,
    wa_id: Option<String>,
    message_status: Option<String>,
}

impl TryFrom<Value> for Sent {
    type Error = &'static str;

    fn try_from(answer: Value) -> Result<Self, Self::Error> {
        let text = |pointer| answer.pointer(pointer)?.as_str().map(str::to_owned);
        Ok(Self {
            wamid: text("/messages/0/id").ok_or("no message id")?,
            wa_id: text("/contacts/0/wa_id"),
            message_status: text("/messages/0/message_status"),
        })
    }
}

#[derive(Deserialize)]
struct Uploaded {
    id: MediaId,
}

impl MetaClient {
    /// `http` has the timeouts; it must follow no redirects. `version` is that of the Graph API, like `v25.0`.
    pub fn new(http: Client, base_url: Url, version: String) -> Self {
        Self {
            http,
            base_url,
            version,
        }
    }

    pub async fn send(
        &self,
        sender: &Sender,
        message: &OutboundMessage,
    ) -> Result<Accepted, SendError> {
        let url = self.url(&[&sender.phone_number_id, "messages"]);
        let body = serde_json::to_vec(&payload::Message::from(message))
            .expect("strings and numbers are always JSON");
        let request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(once(body.into()));
        let answer = exchange::<Sent>(request, &sender.token).await?;
        Ok(Accepted {
            wamid: answer.value.wamid,
            wa_id: answer.value.wa_id,
            message_status: answer.value.message_status,
            usage: answer.usage,
            trace_id: answer.trace_id,
        })
    }

    pub async fn upload_media(
        &self,
        sender: &Sender,
        media: MediaUpload,
    ) -> Result<MediaId, SendError> {
        let url = self.url(&[&sender.phone_number_id, "media"]);
        let file = multipart::Part::stream(media.bytes)
            .file_name(plain(&media.filename))
            .mime_str(&media.mime)
            .map_err(lost)?;
        let form = multipart::Form::new()
            .text("messaging_product", "whatsapp")
            .text("type", media.mime)
            .part("file", file);
        let request = self.http.post(url).multipart(form);
        let answer = exchange::<Uploaded>(request, &sender.token).await?;
        Ok(answer.value.id)
    }

    /// Each segment stays one segment, whatever it contains.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&self.version).extend(segments);
        }
        url
    }
}

impl Provider for MetaClient {
    async fn send(
        &self,
        sender: &Sender,
        message: &OutboundMessage,
    ) -> Result<Accepted, SendError> {
        Self::send(self, sender, message).await
    }

    async fn upload_media(
        &self,
        sender: &Sender,
        media: MediaUpload,
    ) -> Result<MediaId, SendError> {
        Self::upload_media(self, sender, media).await
    }
}

/// A body that cannot be read twice, so that no layer below can send it twice. reqwest would repeat a request
/// after some HTTP/2 errors, or a redirect, if it could copy the body. What remains is hyper's own repetition: a pooled
/// connection that closed before it took the request up, which therefore was never written.
fn once(bytes: Bytes) -> Body {
    Body::wrap(Body::from(bytes))
}

/// The name that patients see comes with the message. This one travels in a header, so it is kept to what needs no
/// encoding there.
fn plain(filename: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || ".-_".contains(character);
    filename
        .chars()
        .map(|character| if is_plain(character) { character } else { '_' })
        .collect()
}
