use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use queue::{Broker, Message, Queue, RabbitConfig};
use tokio::{task::JoinSet, time::Instant};

use crate::load::as_f64;

/// Publishers, and how many messages each has under way.
const PUBLISHERS: usize = 8;
const AT_ONCE: usize = 128;

/// Messages a second that a quorum queue confirms, pipelined, while they are consumed.
pub(crate) async fn publishes(amqp_url: &str, seconds: u64) -> anyhow::Result<f64> {
    let config = RabbitConfig::new(amqp_url, "bench")?;
    let broker = Arc::new(Broker::rabbitmq(config).await);
    let connected = tokio::time::timeout(Duration::from_secs(20), broker.connected()).await;
    connected.context("RabbitMQ cannot be reached")?;
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    // What is not consumed would fill the queue up.
    let mut consuming = JoinSet::new();
    let mut consumer = broker.consume(Queue::Events, 1_000).await;
    consuming.spawn(async move {
        while let Some(delivery) = consumer.next().await {
            delivery.ack().await.ok();
        }
    });
    let mut publishing = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let broker = Arc::clone(&broker);
        publishing.spawn(async move {
            let mut confirmed = 0_u64;
            while Instant::now() < until {
                let messages = vec![message(); AT_ONCE];
                let results = broker.publish(Queue::Events, messages).await;
                ensure!(results.iter().all(Result::is_ok), "a publish was refused");
                confirmed += AT_ONCE as u64;
            }
            anyhow::Ok(confirmed)
        });
    }
    let mut confirmed = 0;
    while let Some(published) = publishing.join_next().await {
        confirmed += published??;
    }
    broker.close().await;
    Ok(as_f64(confirmed) / began.elapsed().as_secs_f64())
}

/// As large as a hint that names one work row.
pub(crate) fn message() -> Message {
    Message {
        body: Bytes::from_static(&[b'h'; 80]),
        traceparent: None,
    }
}
