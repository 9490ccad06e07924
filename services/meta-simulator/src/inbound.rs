use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    delivery::metadata,
    graph::download_url,
    json::Fields,
    simulator::Simulator,
    webhooks::Update,
    world::{
        Attachment, ChatKey, Direction, Message, NewMedia, NumberRecord, Origin, Person, Status,
        World, canonical, wamid,
    },
};

/// Something a patient does on the phone.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Inbound {
    pub phone_number_id: String,
    /// The patient's phone.
    pub from: String,
    /// The message that this one quotes or answers.
    #[serde(default)]
    pub reply_to: Option<String>,
    #[serde(flatten)]
    pub content: InboundContent,
}

/// What is in it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InboundContent {
    Text {
        body: String,
    },
    /// A quick reply of a template.
    Button {
        text: String,
        payload: String,
    },
    /// A button of an interactive message.
    ButtonReply {
        id: String,
        title: String,
    },
    /// A row of an interactive list.
    ListReply {
        id: String,
        title: String,
        #[serde(default)]
        description: Option<String>,
    },
    Reaction {
        message_id: String,
        emoji: String,
    },
    Location {
        latitude: f64,
        longitude: f64,
        #[serde(default)]
        name: Option<String>,
    },
    /// `image`, `document`, `audio` or `video`; the bytes in base64.
    Media {
        kind: String,
        mime_type: String,
        data: String,
        #[serde(default)]
        filename: Option<String>,
        #[serde(default)]
        caption: Option<String>,
    },
    /// A kind of message that the platform cannot show.
    Unsupported,
}

impl Inbound {
    pub fn text(
        phone_number_id: impl Into<String>,
        from: impl Into<String>,
        body: impl Into<String>,
    ) -> Self {
        Self {
            phone_number_id: phone_number_id.into(),
            from: from.into(),
            reply_to: None,
            content: InboundContent::Text { body: body.into() },
        }
    }
}

/// Why a message of a patient went nowhere.
#[derive(Clone, Debug, Error)]
pub enum InboundError {
    #[error("there is no number {0}")]
    UnknownNumber(String),
    #[error("the data are not base64")]
    Data,
}

impl Simulator {
    /// A patient writes: the window opens and the webhook leaves. The answer is the message's id.
    pub fn inbound(&self, inbound: Inbound) -> Result<String, InboundError> {
        let (id, update) = self.receive(inbound)?;
        self.engine().emit(&update, None);
        Ok(id)
    }

    fn receive(&self, inbound: Inbound) -> Result<(String, Update), InboundError> {
        let now = self.engine().now();
        let wa_id = canonical(&inbound.from);
        let mut world = self.engine().world();
        let number = world.accounts.number(&inbound.phone_number_id).cloned();
        let number = number.ok_or(InboundError::UnknownNumber(inbound.phone_number_id))?;
        // What comes in counts too, but is never refused.
        world
            .pace
            .take_number(&number.phone_number_id, number.throughput, now);
        let key = ChatKey::new(&number.phone_number_id, &wa_id);
        let person = world.person(&number, &wa_id);
        let phone_visible = person.username.is_none() || world.chats.get(&key).is_some();

        let mut message = Message::new(Direction::Inbound, "", now);
        message.id = wamid(&wa_id, false, world.next_sequence());
        message.reply_to = inbound.reply_to;
        message.status = Status::Delivered;
        let body = content(&mut world, &number, inbound.content, &mut message)?;
        let mut element = element(&number, &person, phone_visible, &message);
        self.complete(&mut element, &message, body);
        let value = json!({
            "messaging_product": "whatsapp",
            "metadata": metadata(&number),
            "contacts": [person.contact(phone_visible, true)],
            "messages": [element],
        });
        let id = message.id.clone();
        keep(&mut world, &key, message);
        let update = Update {
            waba_id: number.waba_id,
            phone_number_id: Some(number.phone_number_id),
            field: "messages".into(),
            value,
        };
        Ok((id, update))
    }

    /// Puts the part that belongs to the type into the message, with the URL a file can be fetched from.
    fn complete(&self, element: &mut Value, message: &Message, mut body: Value) {
        let media_id = message
            .attachment
            .as_ref()
            .and_then(|attachment| attachment.media_id.as_ref());
        if let Some(media_id) = media_id {
            body.set("url", json!(download_url(self.engine(), media_id)));
        }
        let key = if message.kind == "unsupported" {
            "errors"
        } else {
            message.kind.as_str()
        };
        element.set(key, body);
    }
}

/// The message of the webhook, but for the part that belongs to its type.
fn element(
    number: &NumberRecord,
    person: &Person,
    phone_visible: bool,
    message: &Message,
) -> Value {
    let mut element = json!({
        "from_user_id": person.user_id,
        "id": message.id,
        "timestamp": message.at.timestamp().to_string(),
        "type": message.kind,
    });
    if phone_visible {
        element.set("from", json!(person.wa_id));
    }
    if let Some(reply_to) = &message.reply_to {
        let from: String = number
            .display_phone_number
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        element.set("context", json!({ "from": from, "id": reply_to }));
    }
    element
}

/// Fills the bubble; the answer is the part of the webhook that belongs to the type.
fn content(
    world: &mut World,
    number: &NumberRecord,
    content: InboundContent,
    message: &mut Message,
) -> Result<Value, InboundError> {
    let (kind, text, body) = match content {
        InboundContent::Text { body } => ("text", body.clone(), json!({ "body": body })),
        InboundContent::Button { text, payload } => (
            "button",
            text.clone(),
            json!({ "text": text, "payload": payload }),
        ),
        InboundContent::ButtonReply { id, title } => (
            "interactive",
            title.clone(),
            json!({ "type": "button_reply", "button_reply": { "id": id, "title": title } }),
        ),
        InboundContent::ListReply {
            id,
            title,
            description,
        } => (
            "interactive",
            title.clone(),
            json!({
                "type": "list_reply",
                "list_reply": { "id": id, "title": title, "description": description.unwrap_or_default() },
            }),
        ),
        InboundContent::Reaction { message_id, emoji } => {
            let body = json!({ "message_id": message_id, "emoji": emoji });
            message.reply_to = None;
            message.reaction = Some(message_id);
            ("reaction", emoji, body)
        }
        InboundContent::Location {
            latitude,
            longitude,
            name,
        } => {
            let mut body = json!({ "latitude": latitude, "longitude": longitude });
            if let Some(name) = &name {
                body.set("name", json!(name));
            }
            message.attachment = Some(Attachment::new("location"));
            (
                "location",
                name.unwrap_or_else(|| format!("{latitude}, {longitude}")),
                body,
            )
        }
        media @ InboundContent::Media { .. } => return file(world, number, media, message),
        InboundContent::Unsupported => {
            let errors = json!([crate::errors::webhook_error(131_051, None)]);
            ("unsupported", "Unsupported message".to_owned(), errors)
        }
    };
    kind.clone_into(&mut message.kind);
    message.text = text;
    Ok(body)
}

fn file(
    world: &mut World,
    number: &NumberRecord,
    media: InboundContent,
    message: &mut Message,
) -> Result<Value, InboundError> {
    let InboundContent::Media {
        kind,
        mime_type,
        data,
        filename,
        caption,
    } = media
    else {
        return Err(InboundError::Data);
    };
    let bytes = BASE64_STANDARD
        .decode(data)
        .map_err(|_| InboundError::Data)?;
    let file = NewMedia {
        id: world.next_id(),
        phone_number_id: &number.phone_number_id,
        mime_type: &mime_type,
        bytes: bytes.into(),
        origin: Origin::Webhook,
    };
    let record = world.media.insert(file, message.at);
    let mut body = json!({ "id": record.id, "mime_type": mime_type, "sha256": record.sha256 });
    if let Some(caption) = &caption {
        body.set("caption", json!(caption));
    }
    if let Some(filename) = &filename {
        body.set("filename", json!(filename));
    }
    message.text = caption.unwrap_or_default();
    message.attachment = Some(Attachment {
        media_id: Some(record.id),
        filename,
        mime_type: Some(mime_type),
        size_bytes: Some(record.size_bytes),
        sha256: Some(record.sha256),
        ..Attachment::new(&kind)
    });
    message.kind = kind;
    Ok(body)
}

/// A reaction goes onto the message it is for, everything else is a bubble of its own.
fn keep(world: &mut World, key: &ChatKey, message: Message) {
    if message.kind != "reaction" {
        world.chats.push(key, message);
        return;
    }
    world.chats.open_window(key, message.at);
    if let Some(target) = &message.reaction {
        let emoji = Some(message.text).filter(|emoji| !emoji.is_empty());
        world.chats.update(target, |target| target.reaction = emoji);
    }
}
