use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{At, interactive};
use crate::{
    errors::GraphError,
    world::{Attachment, Direction, Message, is_user_id},
};

/// What a body posted to `/messages` asks for.
pub(crate) enum Command {
    Send(Box<Outbound>),
    MarkRead { message_id: String, typing: bool },
}

/// A well-formed message; whether it may be sent is not decided here.
pub(crate) struct Outbound {
    pub(crate) to: To,
    pub(crate) message: Message,
    pub(crate) content: Content,
}

pub(crate) enum To {
    Phone(String),
    UserId(String),
}

impl To {
    pub(crate) fn input(&self) -> &str {
        match self {
            Self::Phone(input) | Self::UserId(input) => input,
        }
    }
}

/// The part of a message that needs more than its own body to be judged.
pub(crate) enum Content {
    FreeForm,
    Template(Value),
    Reaction { target: String, emoji: String },
}

const TYPES: &[&str] = &[
    "audio",
    "contacts",
    "document",
    "image",
    "interactive",
    "location",
    "reaction",
    "sticker",
    "template",
    "text",
    "video",
];

pub(crate) fn command(body: &Value, now: DateTime<Utc>) -> Result<Command, GraphError> {
    let root = At::root(body);
    if root.optional_text("messaging_product", 32)? != Some("whatsapp") {
        return Err(GraphError::required("messaging_product"));
    }
    if let Some(status) = root.optional_text("status", 32)? {
        return mark_read(&root, status);
    }
    let to = addressee(&root)?;
    let kind = root
        .optional_text("type", 64)?
        .unwrap_or("text")
        .to_lowercase();
    if !TYPES.contains(&kind.as_str()) {
        let known = TYPES.join(", ").to_uppercase();
        return Err(GraphError::invalid(format!(
            "Param type must be one of {{{known}}} - got \"{kind}\"."
        )));
    }
    let mut message = Message::new(Direction::Outbound, &kind, now);
    message.opaque = root
        .optional_text("biz_opaque_callback_data", 512)?
        .map(String::from);
    if let Some(context) = root.get("context") {
        message.reply_to = Some(context.text("message_id", 512)?.to_owned());
    }
    let content = content(&root, &kind, &mut message)?;
    Ok(Command::Send(Box::new(Outbound {
        to,
        message,
        content,
    })))
}

fn mark_read(root: &At<'_>, status: &str) -> Result<Command, GraphError> {
    if status != "read" {
        return Err(GraphError::invalid("Param status must be one of {read}."));
    }
    let message_id = root.text("message_id", 512)?.to_owned();
    let typing = match root.get("typing_indicator") {
        Some(indicator) => indicator.text("type", 16)? == "text",
        None => false,
    };
    Ok(Command::MarkRead { message_id, typing })
}

/// `to` is a phone and wins over `recipient`, which is a user id.
fn addressee(root: &At<'_>) -> Result<To, GraphError> {
    if let Some(recipient_type) = root.optional_text("recipient_type", 32)?
        && recipient_type != "individual"
    {
        return Err(GraphError::invalid(
            "Param recipient_type must be one of {individual}.",
        ));
    }
    if let Some(to) = root.optional_text("to", 64)?.filter(|to| !to.is_empty()) {
        return Ok(To::Phone(to.to_owned()));
    }
    match root
        .optional_text("recipient", 160)?
        .filter(|recipient| !recipient.is_empty())
    {
        Some(user_id) if is_user_id(user_id) => Ok(To::UserId(user_id.to_owned())),
        Some(_) => Err(GraphError::bad_value(
            "recipient is not a business-scoped user ID",
        )),
        None => Err(GraphError::required("to")),
    }
}

fn content(root: &At<'_>, kind: &str, message: &mut Message) -> Result<Content, GraphError> {
    let body = if kind == "contacts" {
        root.clone()
    } else {
        root.object(kind)?
    };
    match kind {
        "text" => body.text("body", 4096)?.clone_into(&mut message.text),
        "location" => location(&body, message)?,
        "contacts" => contacts(&body, message)?,
        "interactive" => interactive::check(&body, message)?,
        "reaction" => {
            let target = body.text("message_id", 512)?.to_owned();
            let emoji = body
                .optional_text("emoji", 32)?
                .unwrap_or_default()
                .to_owned();
            return Ok(Content::Reaction { target, emoji });
        }
        "template" => {
            body.text("name", 512)?;
            body.object("language")?.text("code", 16)?;
            return Ok(Content::Template(body.value.clone()));
        }
        media => {
            message.attachment = Some(attachment(&body, media)?);
            message.text = caption(&body, media)?;
        }
    }
    Ok(Content::FreeForm)
}

/// The file of a message or of a header: an uploaded id or a link, never both.
pub(super) fn attachment(body: &At<'_>, kind: &str) -> Result<Attachment, GraphError> {
    let mut attachment = Attachment::new(kind);
    attachment.media_id = body.optional_text("id", 256)?.map(String::from);
    attachment.link = body.optional_text("link", 2048)?.map(String::from);
    match (&attachment.media_id, &attachment.link) {
        (None, None) => return Err(GraphError::missing(&format!("{} or link", body.name("id")))),
        (Some(_), Some(_)) => {
            return Err(GraphError::invalid(format!(
                "Only one of {} or link may be given.",
                body.name("id")
            )));
        }
        (None, Some(link)) if !link.starts_with("http://") && !link.starts_with("https://") => {
            return Err(GraphError::invalid(format!(
                "Param {} is not a valid URL.",
                body.name("link")
            )));
        }
        _ => {}
    }
    if kind == "document" {
        attachment.filename = body.optional_text("filename", 240)?.map(String::from);
    } else if body.get("filename").is_some() {
        return Err(GraphError::invalid(format!(
            "Unexpected key \"filename\" on param \"{kind}\"."
        )));
    }
    Ok(attachment)
}

fn caption(body: &At<'_>, kind: &str) -> Result<String, GraphError> {
    let caption = body.optional_text("caption", 1024)?.unwrap_or_default();
    if !caption.is_empty() && matches!(kind, "audio" | "sticker") {
        return Err(GraphError::invalid(format!(
            "Unexpected key \"caption\" on param \"{kind}\"."
        )));
    }
    Ok(caption.to_owned())
}

fn location(body: &At<'_>, message: &mut Message) -> Result<(), GraphError> {
    let latitude = coordinate(body, "latitude", 90.0)?;
    let longitude = coordinate(body, "longitude", 180.0)?;
    let name = body.optional_text("name", 1000)?.unwrap_or("Location");
    let address = body.optional_text("address", 1000)?.unwrap_or_default();
    format!("{name}\n{address}")
        .trim()
        .clone_into(&mut message.text);
    let mut place = Attachment::new("location");
    place.filename = Some(format!("{latitude}, {longitude}"));
    message.attachment = Some(place);
    Ok(())
}

/// Numbers and numbers in strings are both seen.
fn coordinate(body: &At<'_>, key: &str, most: f64) -> Result<f64, GraphError> {
    let field = body
        .get(key)
        .ok_or_else(|| GraphError::missing(&body.name(key)))?;
    let number = field
        .value
        .as_f64()
        .or_else(|| field.value.as_str()?.parse().ok());
    number
        .filter(|number| number.abs() <= most)
        .ok_or_else(|| GraphError::bad_value(format!("{} is not a coordinate.", body.name(key))))
}

fn contacts(root: &At<'_>, message: &mut Message) -> Result<(), GraphError> {
    let mut names = Vec::new();
    for contact in root.list("contacts", 257)? {
        let name = contact.object("name")?;
        names.push(name.text("formatted_name", 1024)?.to_owned());
        let parts = ["first_name", "last_name", "middle_name", "suffix", "prefix"];
        if !parts.iter().any(|part| name.get(part).is_some()) {
            return Err(GraphError::missing(&name.name("first_name")));
        }
    }
    message.text = names.join(", ");
    message.attachment = Some(Attachment::new("contacts"));
    Ok(())
}
