//! Everything the simulator remembers: accounts, tokens, templates, people, conversations, media.
//! Knows neither HTTP nor when webhooks leave.

mod accounts;
mod chats;
mod identity;
mod limits;
mod media;
mod message;
mod phone;
mod templates;

use chrono::{DateTime, Utc};

pub(crate) use accounts::{Access, Accounts, BadToken, NumberRecord, Subscription, Target};
pub(crate) use chats::{Chat, ChatKey, Chats};
pub(crate) use identity::{Person, is_user_id, wamid};
pub(crate) use limits::Pace;
pub(crate) use media::{MediaRecord, MediaStore, NewMedia, Origin};
pub use message::{Attachment, Choice, Direction, Event, Message, Status};
pub(crate) use phone::{calling_code, canonical, digits, whatsapp_id};
pub(crate) use templates::{TemplateRecord, Templates, placeholders};

use crate::{
    config::Limits,
    seed::{Recipient, Seed},
};
use std::collections::HashMap;

pub(crate) struct World {
    pub(crate) accounts: Accounts,
    pub(crate) templates: Templates,
    pub(crate) chats: Chats,
    pub(crate) media: MediaStore,
    pub(crate) pace: Pace,
    /// Resumable uploads of template examples: only how far they came.
    pub(crate) uploads: HashMap<String, UploadSession>,
    recipients: HashMap<String, Recipient>,
    people: HashMap<String, String>,
    sequence: u64,
}

pub(crate) struct UploadSession {
    pub(crate) length: usize,
    pub(crate) received: usize,
}

impl World {
    /// `sequence` goes on where an earlier world stopped, so that no id is ever given twice.
    pub(crate) fn new(seed: Seed, limits: &Limits, now: DateTime<Utc>, sequence: u64) -> Self {
        let mut world = Self {
            accounts: Accounts::default(),
            templates: Templates::default(),
            chats: Chats::new(limits.conversations, limits.messages_per_conversation),
            media: MediaStore::new(limits.media_bytes),
            pace: Pace::new(limits.pair_burst, limits.pair_interval, now),
            uploads: HashMap::new(),
            recipients: HashMap::new(),
            people: HashMap::new(),
            sequence,
        };
        seed.apps
            .into_iter()
            .for_each(|app| world.accounts.add_app(app));
        seed.businesses
            .into_iter()
            .for_each(|business| world.accounts.add_business(business));
        seed.numbers
            .into_iter()
            .for_each(|number| world.accounts.add_number(number));
        seed.tokens
            .into_iter()
            .for_each(|token| world.accounts.add_token(token));
        for template in seed.templates {
            let id = world.next_id();
            world.templates.add(template, id);
        }
        seed.recipients
            .into_iter()
            .for_each(|recipient| world.describe(recipient));
        world
    }

    /// A number that was never given before, in the shape of Meta's object ids.
    pub(crate) fn next_id(&mut self) -> String {
        self.next_sequence().to_string()
    }

    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn describe(&mut self, recipient: Recipient) {
        self.recipients
            .insert(canonical(&recipient.phone), recipient);
    }

    pub(crate) fn recipient(&self, wa_id: &str) -> Recipient {
        self.recipients
            .get(wa_id)
            .cloned()
            .unwrap_or_else(|| Recipient::new(format!("+{wa_id}")))
    }

    /// The person as the number's portfolio knows them.
    pub(crate) fn person(&mut self, number: &NumberRecord, wa_id: &str) -> Person {
        let portfolio = self.accounts.portfolio(&number.waba_id);
        let user_id = identity::user_id(&portfolio, wa_id);
        self.people
            .entry(user_id.clone())
            .or_insert_with(|| wa_id.to_owned());
        let recipient = self.recipients.get(wa_id);
        Person {
            wa_id: wa_id.to_owned(),
            user_id,
            name: recipient.and_then(|recipient| recipient.name.clone()),
            username: recipient.and_then(|recipient| recipient.username.clone()),
        }
    }

    /// Whose user id this is, if the number's portfolio ever met them.
    pub(crate) fn wa_id_of(&self, number: &NumberRecord, user_id: &str) -> Option<String> {
        let wa_id = self.people.get(user_id)?;
        let portfolio = self.accounts.portfolio(&number.waba_id);
        (identity::user_id(&portfolio, wa_id) == user_id).then(|| wa_id.clone())
    }

    /// Patients for the index page: everyone described and everyone in a conversation.
    pub(crate) fn known_wa_ids(&self) -> Vec<String> {
        let mut known: Vec<String> = self.recipients.keys().cloned().collect();
        known.extend(self.chats.keys().map(|key| key.wa_id.clone()));
        known.sort();
        known.dedup();
        known
    }
}
