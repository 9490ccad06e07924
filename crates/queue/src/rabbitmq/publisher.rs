use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lapin::{
    BasicProperties, Channel, Confirmation, PublisherConfirm,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

use super::connection::{Link, Open};
use crate::{
    message::{Message, PublishError},
    topology::{EXCHANGE, Queue},
};

/// How many publishes run at a time; more of them wait their turn.
const MAX_CHANNELS: u32 = 32;

/// Marks a message as one to be written to disk.
const PERSISTENT: u8 = 2;

pub(super) const TRACEPARENT: &str = "traceparent";

/// Publishes each batch on a channel of its own: what the broker returns can then be matched within the batch, and
/// concurrent batches cannot take each other's confirms.
#[derive(Debug)]
pub(super) struct Publisher {
    link: Arc<Link>,
    timeout: Duration,
    idle: Mutex<Vec<Channel>>,
    turns: Semaphore,
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>, timeout: Duration) -> Self {
        Self {
            link,
            timeout,
            idle: Mutex::default(),
            turns: Semaphore::new(MAX_CHANNELS as usize),
        }
    }

    pub(super) async fn publish(
        &self,
        queue: Queue,
        messages: &[Message],
    ) -> Vec<Result<(), PublishError>> {
        let deadline = Instant::now() + self.timeout;
        let unavailable = || vec![Err(PublishError::Unavailable); messages.len()];
        let Ok(Ok(_turn)) = timeout_at(deadline, self.turns.acquire()).await else {
            return unavailable();
        };
        let Some(open) = self.link.open() else {
            return unavailable();
        };
        let Ok(Ok(channel)) = timeout_at(deadline, self.channel(&open)).await else {
            open.give_up();
            return unavailable();
        };
        let results = Batch {
            channel: &channel,
            queue,
            deadline,
        }
        .publish(messages)
        .await;
        let is_broken = |result: &Result<(), PublishError>| {
            matches!(
                result,
                Err(PublishError::Unknown | PublishError::Unroutable)
            )
        };
        if !results.iter().any(is_broken) {
            self.idle().push(channel);
        } else if !open.is_blocked() {
            // Connecting again also declares the topology again. A blocked connection is kept: a new one would be
            // blocked too, but only after it has swallowed a message.
            open.give_up();
        }
        results
    }

    /// Lets the publishes in flight finish, and refuses all others.
    pub(super) async fn close(&self) {
        timeout(self.timeout, self.turns.acquire_many(MAX_CHANNELS))
            .await
            .ok();
        self.turns.close();
        self.idle().clear();
    }

    async fn channel(&self, open: &Open) -> lapin::Result<Channel> {
        let idle = || self.idle().pop();
        while let Some(channel) = idle() {
            // One that was left idle by an earlier connection is of no use.
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let channel = open.connection.create_channel().await?;
        // Wait for the answer: a message published before confirms are on would never be confirmed.
        channel
            .confirm_select(ConfirmSelectOptions { nowait: false })
            .await?;
        Ok(channel)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Batch<'a> {
    channel: &'a Channel,
    queue: Queue,
    deadline: Instant,
}

impl Batch<'_> {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        let (confirms, interrupted) = self.send(messages).await;
        let mut results = self.confirmed(confirms).await;
        if interrupted {
            // Written in part, or waiting in a buffer: only those after it are known not to be sent.
            results.push(Err(PublishError::Unknown));
        }
        results.resize(messages.len(), Err(PublishError::Unavailable));
        results
    }

    /// Sends without waiting for confirms, until something goes wrong. Says whether it did in the middle of a message.
    async fn send(&self, messages: &[Message]) -> (Vec<PublisherConfirm>, bool) {
        let options = BasicPublishOptions {
            // Have it returned if no queue takes it: without this it would be dropped, and confirmed.
            mandatory: true,
            // RabbitMQ knows no immediate delivery.
            immediate: false,
        };
        let mut confirms = Vec::with_capacity(messages.len());
        for (index, message) in messages.iter().enumerate() {
            if !self.channel.status().connected() {
                return (confirms, false);
            }
            let sent = self.channel.basic_publish(
                EXCHANGE.into(),
                self.queue.name().into(),
                options,
                &message.body,
                properties(index, message),
            );
            match timeout_at(self.deadline, sent).await {
                Ok(Ok(confirm)) => confirms.push(confirm),
                Ok(Err(_)) | Err(_) => return (confirms, true),
            }
        }
        (confirms, false)
    }

    async fn confirmed(&self, confirms: Vec<PublisherConfirm>) -> Vec<Result<(), PublishError>> {
        let mut results = Vec::with_capacity(confirms.len());
        let mut returned = Vec::new();
        for confirm in confirms {
            let (result, message) = match timeout_at(self.deadline, confirm).await {
                Ok(Ok(Confirmation::Ack(message))) => (Ok(()), message),
                Ok(Ok(Confirmation::Nack(message))) => (Err(PublishError::Nacked), message),
                Ok(Ok(Confirmation::NotRequested) | Err(_)) | Err(_) => {
                    (Err(PublishError::Unknown), None)
                }
            };
            results.push(result);
            // It may come with the confirm of a neighbour: only its own id says which message it is.
            returned.extend(message.as_ref().and_then(index_of));
        }
        for index in returned {
            if let Some(result) = results.get_mut(index) {
                // The broker acknowledges what it returns.
                *result = Err(PublishError::Unroutable);
            }
        }
        results
    }
}

fn properties(index: usize, message: &Message) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(index.to_string().into());
    let Some(traceparent) = &message.traceparent else {
        return properties;
    };
    let mut headers = FieldTable::default();
    headers.insert(
        TRACEPARENT.into(),
        AMQPValue::LongString(traceparent.as_str().into()),
    );
    properties.with_headers(headers)
}

fn index_of(returned: &BasicReturnMessage) -> Option<usize> {
    let id = returned.delivery.properties.message_id().as_ref()?;
    id.as_str().parse().ok()
}
