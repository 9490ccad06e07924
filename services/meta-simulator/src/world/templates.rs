use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use crate::seed::Template;

use crate::json::Fields;

/// Account, name, language.
type Key = (String, String, String);

/// Message templates, each in one language.
#[derive(Default)]
pub(crate) struct Templates {
    records: BTreeMap<Key, TemplateRecord>,
    by_id: HashMap<String, Key>,
}

#[derive(Clone, Debug)]
pub(crate) struct TemplateRecord {
    pub(crate) id: String,
    pub(crate) waba_id: String,
    pub(crate) name: String,
    pub(crate) language: String,
    pub(crate) category: String,
    pub(crate) status: String,
    pub(crate) named: bool,
    pub(crate) components: Vec<Value>,
    pub(crate) rejected_reason: String,
}

impl TemplateRecord {
    /// The definition's `HEADER`, `BODY`, `FOOTER` or `BUTTONS`.
    pub(crate) fn component(&self, kind: &str) -> Option<&Value> {
        self.components.iter().find(|component| {
            component
                .at("type")
                .as_str()
                .is_some_and(|found| found.eq_ignore_ascii_case(kind))
        })
    }

    pub(crate) fn text_of(&self, kind: &str) -> &str {
        self.component(kind)
            .and_then(|component| component.at("text").as_str())
            .unwrap_or_default()
    }

    pub(crate) fn buttons(&self) -> &[Value] {
        let buttons = self
            .component("BUTTONS")
            .and_then(|component| component.at("buttons").as_array());
        buttons.map_or(&[], Vec::as_slice)
    }

    /// The object that the Graph API lists.
    pub(crate) fn node(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "language": self.language,
            "status": self.status,
            "category": self.category,
            "parameter_format": if self.named { "NAMED" } else { "POSITIONAL" },
            "components": self.components,
            "rejected_reason": self.rejected_reason,
            "quality_score": { "score": "UNKNOWN", "date": 0 },
        })
    }

    /// The value of a `message_template_status_update` webhook.
    pub(crate) fn status_update(&self) -> Value {
        json!({
            "event": self.status,
            "message_template_id": self.id.parse::<u64>().unwrap_or_default(),
            "message_template_name": self.name,
            "message_template_language": self.language,
            "message_template_category": self.category,
            "reason": self.rejected_reason,
        })
    }
}

impl Templates {
    /// Adds or replaces; `fresh_id` is used if the template brings none.
    pub(crate) fn add(&mut self, template: Template, fresh_id: String) -> TemplateRecord {
        let record = TemplateRecord {
            id: template.id.unwrap_or(fresh_id),
            waba_id: template.waba_id,
            name: template.name,
            language: template.language,
            category: template.category.to_uppercase(),
            status: template.status.to_uppercase(),
            named: template.parameter_format.eq_ignore_ascii_case("NAMED"),
            components: template.components,
            rejected_reason: "NONE".into(),
        };
        let key = (
            record.waba_id.clone(),
            record.name.clone(),
            record.language.clone(),
        );
        self.by_id.insert(record.id.clone(), key.clone());
        if let Some(replaced) = self.records.insert(key, record.clone())
            && replaced.id != record.id
        {
            self.by_id.remove(&replaced.id);
        }
        record
    }

    pub(crate) fn find(
        &self,
        waba_id: &str,
        name: &str,
        language: &str,
    ) -> Option<&TemplateRecord> {
        self.records
            .get(&(waba_id.to_owned(), name.to_owned(), language.to_owned()))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&TemplateRecord> {
        self.records.get(self.by_id.get(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut TemplateRecord> {
        self.records.get_mut(self.by_id.get(id)?)
    }

    pub(crate) fn of(&self, waba_id: &str) -> impl Iterator<Item = &TemplateRecord> {
        let first = (waba_id.to_owned(), String::new(), String::new());
        self.records
            .range(first..)
            .map(|(_, record)| record)
            .take_while(move |record| record.waba_id == waba_id)
    }

    /// Removes all languages of a name, or one template by id; how many it were.
    pub(crate) fn remove(
        &mut self,
        waba_id: &str,
        wanted: impl Fn(&TemplateRecord) -> bool,
    ) -> usize {
        let keys: Vec<Key> = self
            .of(waba_id)
            .filter(|record| wanted(record))
            .map(|record| {
                (
                    record.waba_id.clone(),
                    record.name.clone(),
                    record.language.clone(),
                )
            })
            .collect();
        for key in &keys {
            if let Some(removed) = self.records.remove(key) {
                self.by_id.remove(&removed.id);
            }
        }
        keys.len()
    }
}

/// The names or numbers between double braces, each once, in the order of the text.
pub(crate) fn placeholders(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for piece in text.split("{{").skip(1) {
        if let Some((name, _)) = piece.split_once("}}") {
            let name = name.trim().to_owned();
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}
