use chrono::{DateTime, Utc};
use serde_json::Value;

use super::items::{Inbound, InboundMedia, Status, StatusError, StatusKind};
use crate::meta::graph_error::as_integer;

/// What surrounds an element.
pub(super) struct Surroundings {
    pub(super) waba_id: String,
    pub(super) phone_number_id: String,
    pub(super) contacts: Vec<Value>,
    /// For elements without an instant of their own.
    pub(super) at: Option<DateTime<Utc>>,
}

/// The kinds of messages whose content is a file.
const FILES: [&str; 5] = ["image", "video", "audio", "document", "sticker"];
/// Where there may be something to read.
const TEXTS: [&str; 5] = [
    "/text/body",
    "/button/text",
    "/interactive/button_reply/title",
    "/interactive/list_reply/title",
    "/interactive/nfm_reply/body",
];
/// From here on a timestamp is in milliseconds: as seconds it would be the year 33658.
const MILLISECONDS_FROM: i64 = 1_000_000_000_000;

pub(super) fn status(around: &Surroundings, element: &Value) -> Option<Status> {
    let (recipient_id, recipient_user_id) =
        addresses(element, "/recipient_id", "/recipient_user_id");
    Some(Status {
        phone_number_id: around.phone_number_id.clone(),
        waba_id: around.waba_id.clone(),
        wamid: text(element, "/id")?,
        status: StatusKind::from(text(element, "/status")?),
        at: instant(element).or(around.at)?,
        opaque: text(element, "/biz_opaque_callback_data"),
        recipient_id,
        recipient_user_id,
        errors: errors(element),
    })
}

pub(super) fn inbound(around: &Surroundings, element: Value) -> Option<Inbound> {
    let (from, from_user_id) = addresses(&element, "/from", "/from_user_id");
    let contact = contact(&around.contacts, from.as_deref(), from_user_id.as_deref());
    let kind = text(&element, "/type").unwrap_or_else(|| "unknown".to_owned());
    let file = FILES.contains(&kind.as_str()).then(|| element.get(&kind));
    let file = file.flatten();
    Some(Inbound {
        phone_number_id: around.phone_number_id.clone(),
        waba_id: around.waba_id.clone(),
        wamid: text(&element, "/id")?,
        from_user_id: from_user_id.or_else(|| text(contact?, "/user_id")),
        profile_name: contact.and_then(|contact| text(contact, "/profile/name")),
        from,
        at: instant(&element).or(around.at)?,
        text: TEXTS
            .iter()
            .find_map(|pointer| text(&element, pointer))
            .or_else(|| text(file?, "/caption")),
        context_wamid: text(&element, "/context/id"),
        media: file.and_then(media),
        kind,
        raw: element,
    })
}

/// The errors in `errors`; one without a code says nothing.
pub(super) fn errors(element: &Value) -> Vec<StatusError> {
    let errors = element.get("errors").and_then(Value::as_array);
    errors.into_iter().flatten().filter_map(error).collect()
}

pub(super) fn error(element: &Value) -> Option<StatusError> {
    Some(StatusError {
        code: as_integer(element.get("code")?)?,
        title: text(element, "/title"),
        message: text(element, "/message"),
        // Old webhooks have the details without the object around them.
        details: text(element, "/error_data/details").or_else(|| text(element, "/details")),
    })
}

/// The text there, if any: Meta used to send empty strings for what is missing, and sends ids as numbers at times.
pub(super) fn text(element: &Value, pointer: &str) -> Option<String> {
    match element.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Seconds or milliseconds since 1970, as text or number.
pub(super) fn epoch(value: &Value) -> Option<DateTime<Utc>> {
    match as_integer(value)? {
        ..0 => None,
        seconds @ ..MILLISECONDS_FROM => DateTime::from_timestamp(seconds, 0),
        milliseconds => DateTime::from_timestamp_millis(milliseconds),
    }
}

fn instant(element: &Value) -> Option<DateTime<Utc>> {
    epoch(element.get("timestamp")?)
}

/// A number and a user id. A user id is sometimes found where the number belongs.
fn addresses(element: &Value, number: &str, user_id: &str) -> (Option<String>, Option<String>) {
    match (text(element, number), text(element, user_id)) {
        (Some(number), user_id) if is_user_id(&number) => (None, user_id.or(Some(number))),
        addresses => addresses,
    }
}

/// `US.134912…`, or `US.ENT.134912…` for a group of businesses.
fn is_user_id(text: &str) -> bool {
    let Some((country, id)) = text.split_once('.') else {
        return false;
    };
    let id = id.strip_prefix("ENT.").unwrap_or(id);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Who wrote. Messages and contacts of several patients may come together.
fn contact<'a>(
    contacts: &'a [Value],
    from: Option<&str>,
    user_id: Option<&str>,
) -> Option<&'a Value> {
    let is = |contact: &Value, pointer, id: Option<&str>| {
        id.is_some_and(|id| text(contact, pointer).as_deref() == Some(id))
    };
    contacts
        .iter()
        .find(|it| is(it, "/user_id", user_id))
        .or_else(|| contacts.iter().find(|it| is(it, "/wa_id", from)))
}

fn media(file: &Value) -> Option<InboundMedia> {
    Some(InboundMedia {
        id: text(file, "/id")?,
        mime_type: text(file, "/mime_type"),
        filename: text(file, "/filename"),
    })
}
