//! What the tests share: brokers to run them on, messages, and deadlines instead of hangs.

use std::time::Duration;

use queue::{Broker, Consumer, Delivery, Message, PublishError, Queue, RabbitConfig};
use testkit::{
    eventually,
    rabbitmq::{Vhost, vhost},
};
use tokio::time::timeout;

/// Long enough for a loaded machine; no test that passes comes near it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A broker of the test's own.
pub(crate) trait Harness {
    async fn start() -> Self;
    fn broker(&self) -> &Broker;
}

pub(crate) struct InProcess(Broker);

impl Harness for InProcess {
    async fn start() -> Self {
        Self(Broker::in_process())
    }

    fn broker(&self) -> &Broker {
        &self.0
    }
}

pub(crate) struct RabbitMq {
    broker: Broker,
    pub(crate) vhost: Vhost,
}

impl Harness for RabbitMq {
    async fn start() -> Self {
        let vhost = vhost().await;
        let broker = Broker::rabbitmq(config(&vhost.amqp_url)).await;
        timeout(LIMIT, broker.connected())
            .await
            .expect("the broker connects");
        Self { broker, vhost }
    }

    fn broker(&self) -> &Broker {
        &self.broker
    }
}

pub(crate) fn config(url: &str) -> RabbitConfig {
    RabbitConfig::new(url, "queue tests").unwrap()
}

pub(crate) fn message(body: impl Into<String>) -> Message {
    Message {
        body: body.into().into(),
        traceparent: None,
    }
}

pub(crate) fn messages(numbers: std::ops::Range<u32>) -> Vec<Message> {
    numbers.map(|number| message(number.to_string())).collect()
}

pub(crate) async fn publish_one(
    broker: &Broker,
    queue: Queue,
    body: &str,
) -> Result<(), PublishError> {
    let publishing = broker.publish(queue, vec![message(body)]);
    let results = timeout(LIMIT, publishing).await.expect("a publish ends");
    let [result] = results.try_into().expect("one result for one message");
    result
}

pub(crate) async fn next(consumer: &mut Consumer) -> Delivery {
    let delivery = timeout(LIMIT, consumer.next())
        .await
        .expect("a delivery arrives");
    delivery.expect("the broker is open")
}

pub(crate) fn body(delivery: &Delivery) -> String {
    String::from_utf8(delivery.body.to_vec()).unwrap()
}

pub(crate) async fn dead_letters_become(broker: &Broker, queue: Queue, expected: u64) {
    eventually(LIMIT, async || match broker.dead_letters(queue).await {
        Some(count) if count == expected => Ok(()),
        other => Err(other),
    })
    .await;
}

/// Proves that nothing waits in the queue before what is published now.
pub(crate) async fn assert_nothing_waits(broker: &Broker, consumer: &mut Consumer, queue: Queue) {
    publish_one(broker, queue, "the only one").await.unwrap();
    let delivery = next(consumer).await;
    assert_eq!(body(&delivery), "the only one");
    delivery.ack().await.unwrap();
}
