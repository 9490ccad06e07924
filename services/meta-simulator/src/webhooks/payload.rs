use serde_json::{Value, json};

use crate::json::Fields;

/// One change on its way to the apps of an account.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) waba_id: String,
    pub(crate) phone_number_id: Option<String>,
    pub(crate) field: String,
    pub(crate) value: Value,
}

/// The body of one POST: an entry for each account; statuses and messages of one number share a change.
/// Entries with news of the account itself, unlike messages, say when they were made.
pub(super) fn envelope<'a>(updates: impl Iterator<Item = &'a Update>, now: i64) -> Value {
    let mut entries: Vec<(String, Vec<Value>)> = Vec::new();
    for update in updates {
        let position = entries
            .iter()
            .position(|(waba_id, _)| *waba_id == update.waba_id);
        let position = position.unwrap_or_else(|| {
            entries.push((update.waba_id.clone(), Vec::new()));
            entries.len() - 1
        });
        if let Some((_, changes)) = entries.get_mut(position) {
            let merged = changes.iter_mut().any(|change| merge(change, update));
            if !merged {
                changes.push(json!({ "field": update.field, "value": update.value }));
            }
        }
    }
    let entries = entries.into_iter().map(|(id, changes)| {
        let messages = changes
            .iter()
            .all(|change| change.at("field") == "messages");
        let mut entry = json!({ "id": id, "changes": changes });
        if !messages {
            entry.set("time", now);
        }
        entry
    });
    json!({ "object": "whatsapp_business_account", "entry": entries.collect::<Vec<_>>() })
}

/// Adds the update to a change of the same number and kind; false if this is not one.
fn merge(change: &mut Value, update: &Update) -> bool {
    let lists = ["statuses", "messages"];
    let Some(list) = lists
        .into_iter()
        .find(|list| update.value.at(list).is_array())
    else {
        return false;
    };
    let same_field = change.at("field") == update.field.as_str();
    let Some(value) = change.get_mut("value").filter(|value| {
        same_field
            && value.at("metadata") == update.value.at("metadata")
            && value.at(list).is_array()
    }) else {
        return false;
    };
    append(value, &update.value, list);
    append(value, &update.value, "contacts");
    true
}

fn append(value: &mut Value, from: &Value, list: &str) {
    let Some(added) = from.at(list).as_array() else {
        return;
    };
    let mut elements = value.at(list).as_array().cloned().unwrap_or_default();
    for element in added {
        if list != "contacts" || !elements.contains(element) {
            elements.push(element.clone());
        }
    }
    value.set(list, elements);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(waba: &str, number: &str, wamid: &str) -> Update {
        Update {
            waba_id: waba.into(),
            phone_number_id: Some(number.into()),
            field: "messages".into(),
            value: json!({
                "metadata": { "phone_number_id": number },
                "contacts": [{ "wa_id": "91" }],
                "statuses": [{ "id": wamid }],
            }),
        }
    }

    #[test]
    fn statuses_of_one_number_share_a_change_and_a_contact() {
        let updates = [
            status("w", "1", "a"),
            status("w", "1", "b"),
            status("w", "2", "c"),
            status("v", "3", "d"),
        ];
        let body = envelope(updates.iter(), 0);
        assert_eq!(body["entry"].as_array().unwrap().len(), 2);
        let first = &body["entry"][0]["changes"][0]["value"];
        assert_eq!(first["statuses"], json!([{ "id": "a" }, { "id": "b" }]));
        assert_eq!(first["contacts"], json!([{ "wa_id": "91" }]));
        assert_eq!(
            body["entry"][0]["changes"][1]["value"]["statuses"],
            json!([{ "id": "c" }])
        );
    }
}
