use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    delivery::Delivery,
    seed::Recipient,
    simulator::Simulator,
    world::{Chat, ChatKey, Direction, Message, Status, World, canonical},
};

/// Conversations listed at most; the newest come first.
const LISTED: usize = 500;

/// A chat in a list of chats.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub phone_number_id: String,
    pub wa_id: String,
    /// The patient's name, if the simulator knows one.
    pub name: Option<String>,
    pub business: String,
    pub last_text: String,
    pub last_at: Option<DateTime<Utc>>,
    /// Messages that the patient has not read yet.
    pub unread: usize,
}

/// A chat as the patient's phone shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Conversation {
    #[serde(flatten)]
    pub summary: Summary,
    /// Free-form messages arrive.
    pub window_open: bool,
    /// The business shows that it is typing.
    pub typing: bool,
    pub messages: Vec<Message>,
}

impl Simulator {
    /// The chats of all patients, newest first.
    pub fn conversations(&self) -> Vec<Summary> {
        let world = self.engine().world();
        let mut summaries: Vec<_> = world
            .chats
            .iter()
            .map(|(key, chat)| summary(&world, key, chat))
            .collect();
        summaries.sort_by_key(|summary| Reverse(summary.last_at));
        summaries.truncate(LISTED);
        summaries
    }

    /// Everyone who was described or is in a conversation, by their WhatsApp ids.
    pub fn patients(&self) -> Vec<Recipient> {
        let world = self.engine().world();
        let known = world.known_wa_ids();
        known
            .iter()
            .take(LISTED)
            .map(|wa_id| world.recipient(wa_id))
            .collect()
    }

    /// One chat with its messages.
    pub fn conversation(&self, phone_number_id: &str, phone: &str) -> Option<Conversation> {
        let now = self.engine().now();
        let world = self.engine().world();
        let key = ChatKey::new(phone_number_id, &canonical(phone));
        let chat = world.chats.get(&key)?;
        Some(Conversation {
            summary: summary(&world, &key, chat),
            window_open: world.chats.window_open(&key, now),
            typing: chat.typing_until.is_some_and(|until| now < until),
            messages: chat.messages.iter().cloned().collect(),
        })
    }

    /// The patient opens the chat: what was delivered is read. How many messages that were.
    pub fn open_chat(&self, phone_number_id: &str, phone: &str) -> usize {
        let deliveries = self
            .unread(phone_number_id, &canonical(phone))
            .unwrap_or_default();
        for delivery in &deliveries {
            delivery.read_now(self.engine());
        }
        deliveries.len()
    }

    fn unread(&self, phone_number_id: &str, wa_id: &str) -> Option<Vec<Delivery>> {
        let mut world = self.engine().world();
        let number = world.accounts.number(phone_number_id)?.clone();
        let person = world.person(&number, wa_id);
        let recipient = world.recipient(wa_id);
        let unread = world
            .chats
            .unread(&ChatKey::new(phone_number_id, wa_id))
            .into_iter();
        let delivery = |message: Message| Delivery {
            wamid: message.id,
            number: number.clone(),
            person: person.clone(),
            phone_visible: true,
            to_user_id: false,
            opaque: message.opaque,
            category: String::new(),
            in_window: false,
            recipient: recipient.clone(),
            failure: None,
        };
        Some(unread.map(delivery).collect())
    }

    /// Opens the 24-hour window without a message, as if the patient had just written.
    pub fn open_window(&self, phone_number_id: &str, phone: &str) {
        let now = self.engine().now();
        let key = ChatKey::new(phone_number_id, &canonical(phone));
        self.engine().world().chats.open_window(&key, now);
    }
}

fn summary(world: &World, key: &ChatKey, chat: &Chat) -> Summary {
    let last = chat.messages.back();
    let number = world.accounts.number(&key.phone_number_id);
    let business = number.map(|number| match number.verified_name.as_str() {
        "" => number.display_phone_number.clone(),
        name => name.to_owned(),
    });
    let unread = chat.messages.iter().filter(|message| {
        message.direction == Direction::Outbound && message.status == Status::Delivered
    });
    Summary {
        phone_number_id: key.phone_number_id.clone(),
        wa_id: key.wa_id.clone(),
        name: world.recipient(&key.wa_id).name,
        business: business.unwrap_or_else(|| key.phone_number_id.clone()),
        last_text: last.map(preview).unwrap_or_default(),
        last_at: last.map(|message| message.at),
        unread: unread.count(),
    }
}

fn preview(message: &Message) -> String {
    let text = message.text.lines().next().unwrap_or_default();
    let file = message.attachment.as_ref();
    let named = file.map(|file| file.filename.clone().unwrap_or_else(|| file.kind.clone()));
    let preview = if text.is_empty() {
        named.unwrap_or_default()
    } else {
        text.to_owned()
    };
    preview.chars().take(80).collect()
}
