//! The names, arguments and limits of everything on the broker. They are written here and nowhere else.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

/// How often a message may come back. One more return makes it a dead letter.
pub const DELIVERY_LIMIT: u32 = 20;

/// How many messages a queue holds before it refuses more. RabbitMQ lets a few more in.
pub const MAX_LENGTH: u32 = 100_000;

pub(crate) const EXCHANGE: &str = "labwire";
const DEAD_LETTER_EXCHANGE: &str = "labwire.dead";

/// The queues there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    Outbound,
    Events,
    Callbacks,
}

impl Queue {
    pub const ALL: [Self; 3] = [Self::Outbound, Self::Events, Self::Callbacks];

    /// The name on the broker, which is also the routing key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outbound => "labwire.outbound",
            Self::Events => "labwire.events",
            Self::Callbacks => "labwire.callbacks",
        }
    }

    /// The name of the queue that holds the dead letters of this one.
    pub fn dead_letter_name(self) -> &'static str {
        match self {
            Self::Outbound => "labwire.outbound.dead",
            Self::Events => "labwire.events.dead",
            Self::Callbacks => "labwire.callbacks.dead",
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Events => "events",
            Self::Callbacks => "callbacks",
        }
    }
}

/// Declares everything. It is repeated on every connection and subscription, so that a broker that was wiped is
/// whole again as soon as anyone uses it.
pub(crate) async fn declare(channel: &Channel) -> lapin::Result<()> {
    declare_exchange(channel, EXCHANGE).await?;
    declare_exchange(channel, DEAD_LETTER_EXCHANGE).await?;
    for queue in Queue::ALL {
        // The dead letters first: from its first moment a queue has somewhere to put them.
        let dead = queue.dead_letter_name();
        declare_queue(channel, dead, dead_letter_arguments()).await?;
        bind(channel, DEAD_LETTER_EXCHANGE, queue.name(), dead).await?;
        declare_queue(channel, queue.name(), arguments(queue)).await?;
        bind(channel, EXCHANGE, queue.name(), queue.name()).await?;
    }
    Ok(())
}

/// How many messages wait in the queue of that name; an error if there is none.
pub(crate) async fn ready_messages(channel: &Channel, name: &'static str) -> lapin::Result<u32> {
    // Passive: a question must not create what it asks about.
    let options = queue_options(true);
    let queue = channel
        .queue_declare(name.into(), options, FieldTable::default())
        .await?;
    Ok(queue.message_count())
}

async fn declare_exchange(channel: &Channel, name: &'static str) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions {
        // Create it when it is missing: that is how a wiped broker heals.
        passive: false,
        // Survive a restart of the broker.
        durable: true,
        // Live on with no queue bound to it.
        auto_delete: false,
        // Take messages from publishers, and not from other exchanges alone.
        internal: false,
        // Wait for the answer: a refused declaration has to be seen here.
        nowait: false,
    };
    channel
        .exchange_declare(
            name.into(),
            ExchangeKind::Direct,
            options,
            FieldTable::default(),
        )
        .await
}

async fn declare_queue(
    channel: &Channel,
    name: &'static str,
    arguments: FieldTable,
) -> lapin::Result<()> {
    channel
        .queue_declare(name.into(), queue_options(false), arguments)
        .await
        .map(drop)
}

fn queue_options(passive: bool) -> QueueDeclareOptions {
    QueueDeclareOptions {
        // False creates the queue when it is missing: that is how a wiped broker heals.
        passive,
        // Survive a restart of the broker; quorum queues are never anything else.
        durable: true,
        // Be open to every replica of every service.
        exclusive: false,
        // Keep the messages when the last consumer has gone.
        auto_delete: false,
        // Wait for the answer: a refused declaration has to be seen here.
        nowait: false,
    }
}

async fn bind(
    channel: &Channel,
    exchange: &'static str,
    routing_key: &'static str,
    queue: &'static str,
) -> lapin::Result<()> {
    // Wait for the answer: a message published before the binding exists is unroutable.
    let options = QueueBindOptions { nowait: false };
    let (queue, exchange, key) = (queue.into(), exchange.into(), routing_key.into());
    channel
        .queue_bind(queue, exchange, key, options, FieldTable::default())
        .await
}

fn arguments(queue: Queue) -> FieldTable {
    table([
        // Replicated and written to disk before a publish is confirmed.
        ("x-queue-type", text("quorum")),
        // A message that nobody can handle must not go round for ever.
        ("x-delivery-limit", number(DELIVERY_LIMIT)),
        ("x-dead-letter-exchange", text(DEAD_LETTER_EXCHANGE)),
        ("x-dead-letter-routing-key", text(queue.name())),
        // The default: at-least-once runs under one supervisor for the whole node, and when its restart limit is
        // reached, deletions are enough, no such queue there finds a leader again (rabbitmq-server issue 16652). A
        // dead letter is not the record of anything, so losing one is the smaller harm.
        ("x-dead-letter-strategy", text("at-most-once")),
        ("x-max-length", number(MAX_LENGTH)),
        // A full queue refuses the newest instead of dropping the oldest.
        ("x-overflow", text("reject-publish")),
    ])
}

fn dead_letter_arguments() -> FieldTable {
    table([
        ("x-queue-type", text("quorum")),
        ("x-max-length", number(MAX_LENGTH)),
        // The newest dead letters tell most. Refusing them would hold up the queue they come from.
        ("x-overflow", text("drop-head")),
    ])
}

fn table<const N: usize>(arguments: [(&'static str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert(ShortString::from(name), value);
    }
    table
}

fn text(value: &'static str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn number(value: u32) -> AMQPValue {
    AMQPValue::LongLongInt(value.into())
}
