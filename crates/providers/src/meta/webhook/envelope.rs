use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, value::RawValue};

use super::{
    element::{self, Surroundings},
    items::{Account, Errors, Item},
};

/// Why a body is no webhook of Meta's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("the body is not JSON")]
    NotJson,
    #[error("the body is not a webhook of a WhatsApp Business account")]
    NotWhatsApp,
}

const OBJECT: &str = "whatsapp_business_account";
/// The field that statuses and inbound messages come in.
const MESSAGES: &str = "messages";
/// The fields with news of accounts, numbers, templates and wishes of patients.
const ACCOUNT_FIELDS: [&str; 17] = [
    "account_alerts",
    "account_review_update",
    "account_settings_update",
    "account_update",
    "business_capability_update",
    "business_username_update",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "partner_solutions",
    "payment_configuration_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "template_category_update",
    "user_id_update",
    "user_preferences",
];

/// Every status, message and other news in a webhook's body, in its order.
pub fn parse(body: &[u8]) -> Result<Vec<Item>, EnvelopeError> {
    let body = String::from_utf8_lossy(body);
    let body: &RawValue = serde_json::from_str(&body).map_err(|_| EnvelopeError::NotJson)?;
    let envelope = Object::parse(body).ok_or(EnvelopeError::NotWhatsApp)?;
    if envelope.text("object").as_deref() != Some(OBJECT) || !envelope.has("entry") {
        return Err(EnvelopeError::NotWhatsApp);
    }
    let mut reader = Reader { items: Vec::new() };
    reader.each(&envelope, "entry", "", Reader::entry);
    Ok(reader.items)
}

/// The members of an object, still unread: what is wrong inside one of them, even an escape or a number that no
/// parser takes, stays inside.
struct Object<'a>(HashMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    fn parse(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok().map(Self)
    }

    fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn raw(&self, key: &str) -> Option<&'a RawValue> {
        self.0.get(key).copied()
    }

    fn value(&self, key: &str) -> Option<Value> {
        read(self.raw(key)?)
    }

    fn text(&self, key: &str) -> Option<String> {
        element::text(&self.value(key)?, "")
    }
}

fn read(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok()
}

struct Reader {
    items: Vec<Item>,
}

/// Where an element stands.
struct Place {
    pointer: String,
    waba_id: String,
    at: Option<DateTime<Utc>>,
}

impl Reader {
    /// Reads each element of the list at `key`; what cannot be read is noted by its place.
    fn each(
        &mut self,
        object: &Object<'_>,
        key: &str,
        place: &str,
        mut element: impl FnMut(&mut Self, &RawValue, &str) -> Option<()>,
    ) {
        let Some(list) = object.raw(key).filter(|raw| raw.get() != "null") else {
            return;
        };
        let place = format!("{place}/{key}");
        let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(list.get()) else {
            return self.malformed(place);
        };
        for (index, raw) in elements.into_iter().enumerate() {
            let place = format!("{place}/{index}");
            if element(self, raw, &place).is_none() {
                self.malformed(place);
            }
        }
    }

    fn malformed(&mut self, pointer: String) {
        self.items.push(Item::Malformed { pointer });
    }

    fn entry(&mut self, raw: &RawValue, pointer: &str) -> Option<()> {
        let entry = Object::parse(raw).filter(|entry| entry.has("changes"))?;
        let waba_id = entry.text("id")?;
        let at = entry.value("time").and_then(|time| element::epoch(&time));
        self.each(&entry, "changes", pointer, |reader, raw, pointer| {
            let change = Object::parse(raw)?;
            let place = Place {
                pointer: format!("{pointer}/value"),
                waba_id: waba_id.clone(),
                at,
            };
            reader.change(&change, place)
        });
        Some(())
    }

    fn change(&mut self, change: &Object<'_>, place: Place) -> Option<()> {
        let field = change.text("field")?;
        if field == MESSAGES {
            return self.messages(&Object::parse(change.raw("value")?)?, place);
        }
        self.items
            .push(if ACCOUNT_FIELDS.contains(&field.as_str()) {
                let value = change.value("value")?;
                let waba_id = place.waba_id;
                Item::Account(Account {
                    waba_id,
                    field,
                    value,
                })
            } else {
                Item::Unknown { field }
            });
        Some(())
    }

    fn messages(&mut self, value: &Object<'_>, place: Place) -> Option<()> {
        let metadata = value.value("metadata")?;
        let around = Surroundings {
            waba_id: place.waba_id,
            phone_number_id: element::text(&metadata, "/phone_number_id")?,
            contacts: contacts(value),
            at: place.at,
        };
        let before = self.items.len();
        self.each(value, "statuses", &place.pointer, |reader, raw, _| {
            let status = element::status(&around, &read(raw)?)?;
            reader.items.push(Item::Status(status));
            Some(())
        });
        self.each(value, "messages", &place.pointer, |reader, raw, _| {
            let inbound = element::inbound(&around, read(raw)?)?;
            reader.items.push(Item::Inbound(inbound));
            Some(())
        });
        let mut errors = Vec::new();
        self.each(value, "errors", &place.pointer, |_, raw, _| {
            errors.push(element::error(&read(raw)?)?);
            Some(())
        });
        if !errors.is_empty() {
            self.items.push(Item::Errors(Errors {
                phone_number_id: around.phone_number_id,
                waba_id: around.waba_id,
                errors,
            }));
        }
        if self.items.len() == before {
            let field = MESSAGES.to_owned();
            self.items.push(Item::Unknown { field });
        }
        Some(())
    }
}

/// Those that can be read: without them, only names are missing.
fn contacts(value: &Object<'_>) -> Vec<Value> {
    let contacts = value.raw("contacts").map(RawValue::get).unwrap_or_default();
    let contacts: Vec<&RawValue> = serde_json::from_str(contacts).unwrap_or_default();
    contacts.into_iter().filter_map(read).collect()
}
