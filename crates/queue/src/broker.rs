use std::sync::Arc;

use crate::{
    delivery::Delivery,
    in_process::{self, InProcess},
    message::{Message, PublishError},
    metrics,
    rabbitmq::{self, Rabbit, RabbitConfig},
    topology::Queue,
};

/// A broker, shared by cloning. It stops when closed, or when the last clone and consumer is dropped.
#[derive(Clone, Debug)]
pub struct Broker(Kind);

#[derive(Clone, Debug)]
enum Kind {
    InProcess(Arc<InProcess>),
    Rabbit(Arc<Rabbit>),
}

impl Broker {
    /// A broker that lives and dies with this value.
    pub fn in_process() -> Self {
        Self(Kind::InProcess(Arc::new(InProcess::new())))
    }

    /// Returns at once and connects in the background, for as long as it takes and again after every loss.
    #[expect(
        clippy::unused_async,
        reason = "it starts tasks, so it has to be called inside a runtime"
    )]
    pub async fn rabbitmq(config: RabbitConfig) -> Self {
        Self(Kind::Rabbit(Arc::new(Rabbit::start(&config))))
    }

    /// Whether both publishing and consuming are possible at this moment.
    pub fn is_connected(&self) -> bool {
        match &self.0 {
            Kind::InProcess(broker) => broker.is_open(),
            Kind::Rabbit(broker) => broker.is_connected(),
        }
    }

    /// Waits until publishing and consuming are possible: for ever, if the broker stays away or was closed.
    pub async fn connected(&self) {
        match &self.0 {
            Kind::InProcess(broker) if broker.is_open() => {}
            Kind::InProcess(_) => std::future::pending().await,
            Kind::Rabbit(broker) => broker.connected().await,
        }
    }

    /// Publishes in order, and waits until the broker has answered for each message or the publish timeout is over.
    /// There is one result for each message, in the same order.
    pub async fn publish(
        &self,
        queue: Queue,
        messages: Vec<Message>,
    ) -> Vec<Result<(), PublishError>> {
        let results = match &self.0 {
            Kind::InProcess(broker) => broker.publish(queue, messages),
            Kind::Rabbit(broker) => broker.publish(queue, &messages).await,
        };
        metrics::published(queue, &results);
        results
    }

    /// Subscribes to a queue, and again after every lost connection. At most `prefetch` deliveries, and at least one,
    /// are unsettled at a time.
    #[expect(
        clippy::unused_async,
        reason = "it starts a task, so it has to be called inside a runtime"
    )]
    pub async fn consume(&self, queue: Queue, prefetch: u16) -> Consumer {
        // To RabbitMQ a prefetch of 0 means no limit at all.
        let prefetch = prefetch.max(1);
        Consumer(match &self.0 {
            Kind::InProcess(broker) => ConsumerKind::InProcess(broker.consume(queue, prefetch)),
            Kind::Rabbit(broker) => ConsumerKind::Rabbit(broker.consume(queue, prefetch)),
        })
    }

    /// How many messages wait in the queue, those in consumers' hands not counted. `None` if the broker does not say.
    pub async fn depth(&self, queue: Queue) -> Option<u64> {
        match &self.0 {
            Kind::InProcess(broker) => Some(broker.depth(queue)),
            Kind::Rabbit(broker) => broker.ready_messages(queue.name()).await,
        }
    }

    /// How many dead letters the queue has. `None` if the broker does not say.
    pub async fn dead_letters(&self, queue: Queue) -> Option<u64> {
        match &self.0 {
            Kind::InProcess(broker) => Some(broker.dead_letters(queue)),
            Kind::Rabbit(broker) => broker.ready_messages(queue.dead_letter_name()).await,
        }
    }

    /// Ends the consumers, lets publishes in flight finish, disconnects. What is still unsettled goes back to its
    /// queue, and what is published from now on is `Unavailable`.
    pub async fn close(&self) {
        match &self.0 {
            Kind::InProcess(broker) => broker.close(),
            Kind::Rabbit(broker) => broker.close().await,
        }
    }
}

/// The deliveries of one queue.
#[derive(Debug)]
pub struct Consumer(ConsumerKind);

#[derive(Debug)]
enum ConsumerKind {
    InProcess(in_process::Consumer),
    Rabbit(rabbitmq::Consumer),
}

impl Consumer {
    /// The next delivery, or `None` once the broker is closed. Nothing is lost if the wait is given up.
    pub async fn next(&mut self) -> Option<Delivery> {
        let delivery = match &mut self.0 {
            ConsumerKind::InProcess(consumer) => consumer.next().await,
            ConsumerKind::Rabbit(consumer) => consumer.next().await,
        }?;
        metrics::consumed(delivery.queue);
        Some(delivery)
    }

    /// Takes no more deliveries. Those handed out stay ours to settle; those fetched ahead go back.
    pub async fn cancel(self) {
        match self.0 {
            ConsumerKind::InProcess(consumer) => drop(consumer),
            ConsumerKind::Rabbit(consumer) => consumer.cancel().await,
        }
    }
}
