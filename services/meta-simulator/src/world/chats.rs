use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::message::{Direction, Event, Message, Status};

/// How long after the patient's last message free-form messages arrive.
const WINDOW: Duration = Duration::from_hours(24);

/// A business number and a person.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct ChatKey {
    pub(crate) phone_number_id: String,
    pub(crate) wa_id: String,
}

impl ChatKey {
    pub(crate) fn new(phone_number_id: &str, wa_id: &str) -> Self {
        Self {
            phone_number_id: phone_number_id.to_owned(),
            wa_id: wa_id.to_owned(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Chat {
    pub(crate) messages: VecDeque<Message>,
    pub(crate) last_inbound_at: Option<DateTime<Utc>>,
    /// The business is typing until then.
    pub(crate) typing_until: Option<DateTime<Utc>>,
}

/// Conversations, the newest of them: beyond the capacity the oldest are dropped.
pub(crate) struct Chats {
    capacity: usize,
    messages_kept: usize,
    by_key: HashMap<ChatKey, Chat>,
    order: VecDeque<ChatKey>,
    by_message: HashMap<String, ChatKey>,
    version: u64,
}

impl Chats {
    pub(super) fn new(capacity: usize, messages_kept: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            messages_kept: messages_kept.max(1),
            by_key: HashMap::new(),
            order: VecDeque::new(),
            by_message: HashMap::new(),
            version: 0,
        }
    }

    /// Changes with everything that a page would show.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &ChatKey> {
        self.by_key.keys()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ChatKey, &Chat)> {
        self.by_key.iter()
    }

    pub(crate) fn get(&self, key: &ChatKey) -> Option<&Chat> {
        self.by_key.get(key)
    }

    /// Whether the person wrote within the last 24 hours.
    pub(crate) fn window_open(&self, key: &ChatKey, now: DateTime<Utc>) -> bool {
        let last = self.by_key.get(key).and_then(|chat| chat.last_inbound_at);
        last.is_some_and(|last| now < last + WINDOW)
    }

    pub(crate) fn push(&mut self, key: &ChatKey, message: Message) {
        self.version += 1;
        self.by_message.insert(message.id.clone(), key.clone());
        let kept = self.messages_kept;
        let chat = self.open(key);
        if message.direction == Direction::Inbound {
            chat.last_inbound_at = chat.last_inbound_at.max(Some(message.at));
        } else {
            chat.typing_until = None;
        }
        chat.messages.push_back(message);
        if chat.messages.len() > kept
            && let Some(dropped) = chat.messages.pop_front()
        {
            self.by_message.remove(&dropped.id);
        }
    }

    /// The window opens as if the person had written at `at`.
    pub(crate) fn open_window(&mut self, key: &ChatKey, at: DateTime<Utc>) {
        self.version += 1;
        let chat = self.open(key);
        chat.last_inbound_at = chat.last_inbound_at.max(Some(at));
    }

    pub(crate) fn set_typing(&mut self, key: &ChatKey, until: DateTime<Utc>) {
        self.version += 1;
        self.open(key).typing_until = Some(until);
    }

    fn open(&mut self, key: &ChatKey) -> &mut Chat {
        if !self.by_key.contains_key(key) {
            self.order.push_back(key.clone());
            self.drop_oldest();
        }
        self.by_key.entry(key.clone()).or_default()
    }

    fn drop_oldest(&mut self) {
        while self.order.len() > self.capacity {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            let dropped = self.by_key.remove(&oldest).unwrap_or_default();
            for message in &dropped.messages {
                self.by_message.remove(&message.id);
            }
        }
    }

    pub(crate) fn find(&self, message_id: &str) -> Option<(&ChatKey, &Message)> {
        let key = self.by_message.get(message_id)?;
        let chat = self.by_key.get(key)?;
        chat.messages
            .iter()
            .find(|message| message.id == message_id)
            .map(|message| (key, message))
    }

    pub(crate) fn update(&mut self, message_id: &str, change: impl FnOnce(&mut Message)) {
        let Some(key) = self.by_message.get(message_id) else {
            return;
        };
        let Some(chat) = self.by_key.get_mut(key) else {
            return;
        };
        if let Some(message) = chat
            .messages
            .iter_mut()
            .rev()
            .find(|message| message.id == message_id)
        {
            change(message);
            self.version += 1;
        }
    }

    /// Ticks only ever go forward; every report is kept.
    pub(crate) fn report(&mut self, message_id: &str, event: Event) {
        self.update(message_id, |message| {
            if event.status > message.status {
                message.status = event.status;
            }
            message.events.push(event);
        });
    }

    /// The business has read everything up to `message_id`; false if there is no such inbound message.
    pub(crate) fn mark_read_by_business(&mut self, key: &ChatKey, message_id: &str) -> bool {
        let Some(chat) = self.by_key.get_mut(key) else {
            return false;
        };
        let inbound = |message: &Message| message.direction == Direction::Inbound;
        let Some(last) = chat
            .messages
            .iter()
            .position(|message| message.id == message_id && inbound(message))
        else {
            return false;
        };
        for message in chat
            .messages
            .iter_mut()
            .take(last + 1)
            .filter(|message| inbound(message))
        {
            message.status = Status::Read;
        }
        self.version += 1;
        true
    }

    /// What the patient sees for the first time on opening the chat.
    pub(crate) fn unread(&self, key: &ChatKey) -> Vec<Message> {
        let messages = self
            .by_key
            .get(key)
            .into_iter()
            .flat_map(|chat| &chat.messages);
        messages
            .filter(|message| {
                message.direction == Direction::Outbound && message.status == Status::Delivered
            })
            .cloned()
            .collect()
    }
}
