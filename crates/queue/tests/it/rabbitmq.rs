//! Brokers that go away, come back, forget everything, say nothing or refuse.

use std::{net::SocketAddr, time::Duration};

use queue::{Broker, Consumer, DELIVERY_LIMIT, MAX_LENGTH, PublishError, Queue, RabbitConfig};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{
    TcpProxy, eventually,
    rabbitmq::{Vhost, vhost},
};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::support::{
    Harness, LIMIT, RabbitMq, assert_nothing_waits, body, config, messages, next, publish_one,
};

/// A broker behind a network that breaks on demand.
struct Fragile {
    broker: Broker,
    proxy: TcpProxy,
    vhost: Vhost,
}

impl Fragile {
    async fn start() -> Self {
        let fragile = Self::start_with(|proxied| config(&proxied)).await;
        timeout(LIMIT, fragile.broker.connected()).await.unwrap();
        fragile
    }

    async fn start_with(config: impl FnOnce(String) -> RabbitConfig) -> Self {
        let vhost = vhost().await;
        let mut url: Url = vhost.amqp_url.parse().unwrap();
        let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let proxy = TcpProxy::start(upstream.parse::<SocketAddr>().unwrap()).await;
        url.set_port(Some(proxy.address().port())).unwrap();
        let broker = Broker::rabbitmq(config(url.into())).await;
        Self {
            broker,
            proxy,
            vhost,
        }
    }

    async fn becomes_connected(&self, expected: bool) {
        eventually(LIMIT, async || self.broker.is_connected() == expected).await;
    }
}

async fn publish_until_confirmed(broker: &Broker, queue: Queue, body: &str) {
    eventually(LIMIT, async || publish_one(broker, queue, body).await).await;
}

/// A message published without knowing the answer may be there twice.
async fn consume_until(consumer: &mut Consumer, wanted: &str) {
    loop {
        let delivery = next(consumer).await;
        let found = body(&delivery) == wanted;
        delivery.ack().await.unwrap();
        if found {
            return;
        }
    }
}

async fn manage(vhost: &Vhost, method: Method, path: &str, body: Value) -> String {
    let client = reqwest::Client::builder().timeout(LIMIT).build().unwrap();
    let url = format!("{}/{path}", vhost.api_url).replace("{vhost}", &vhost.name);
    let request = client
        .request(method, url)
        .basic_auth("guest", Some("guest"))
        .json(&body);
    request
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap()
        .text()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_broker_that_is_away_is_unavailable_at_once() {
    let fragile = Fragile::start().await;
    fragile.proxy.cut().await;
    fragile.becomes_connected(false).await;
    let started = Instant::now();
    let results = fragile.broker.publish(Queue::Events, messages(0..3)).await;
    assert_eq!(results, vec![Err(PublishError::Unavailable); 3]);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(fragile.broker.depth(Queue::Events).await, None);
}

#[tokio::test]
async fn publisher_and_consumer_come_back_by_themselves() {
    let fragile = Fragile::start().await;
    let mut consumer = fragile.broker.consume(Queue::Events, 4).await;
    for round in ["first", "second", "third"] {
        publish_until_confirmed(&fragile.broker, Queue::Events, round).await;
        consume_until(&mut consumer, round).await;
        fragile.proxy.cut().await;
        fragile.becomes_connected(false).await;
        fragile.proxy.heal().await;
    }
    publish_until_confirmed(&fragile.broker, Queue::Events, "last").await;
    consume_until(&mut consumer, "last").await;
}

#[tokio::test]
async fn a_broker_that_was_away_at_the_start_is_found_later() {
    let fragile = Fragile::start_with(|url| config(&url)).await;
    fragile.proxy.cut().await;
    let mut consumer = fragile.broker.consume(Queue::Events, 1).await;
    fragile.becomes_connected(false).await;
    fragile.proxy.heal().await;
    timeout(LIMIT, fragile.broker.connected()).await.unwrap();
    publish_until_confirmed(&fragile.broker, Queue::Events, "found").await;
    consume_until(&mut consumer, "found").await;
}

#[tokio::test]
async fn a_delivery_whose_connection_is_lost_comes_back_and_its_receipt_is_void() {
    let fragile = Fragile::start().await;
    let mut consumer = fragile.broker.consume(Queue::Outbound, 1).await;
    publish_one(&fragile.broker, Queue::Outbound, "in hand")
        .await
        .unwrap();
    let void = next(&mut consumer).await;
    fragile.proxy.cut().await;
    fragile.becomes_connected(false).await;
    fragile.proxy.heal().await;
    let delivery = next(&mut consumer).await;
    assert_eq!(body(&delivery), "in hand");
    assert!(delivery.redelivered);
    assert!(void.ack().await.is_err());
    delivery.ack().await.unwrap();
    timeout(LIMIT, fragile.broker.connected()).await.unwrap();
    assert_nothing_waits(&fragile.broker, &mut consumer, Queue::Outbound).await;
}

#[tokio::test]
async fn deliveries_fetched_ahead_of_a_lost_connection_are_not_handed_out_twice() {
    let fragile = Fragile::start().await;
    assert_eq!(
        fragile.broker.publish(Queue::Events, messages(0..3)).await,
        vec![Ok(()); 3]
    );
    let mut consumer = fragile.broker.consume(Queue::Events, 3).await;
    eventually(LIMIT, async || {
        fragile.broker.depth(Queue::Events).await == Some(0)
    })
    .await;
    fragile.proxy.cut().await;
    fragile.becomes_connected(false).await;
    fragile.proxy.heal().await;
    timeout(LIMIT, fragile.broker.connected()).await.unwrap();
    for _ in 0..3 {
        next(&mut consumer).await.ack().await.unwrap();
    }
    assert_nothing_waits(&fragile.broker, &mut consumer, Queue::Events).await;
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_unknown_and_the_message_is_there() {
    let fragile = Fragile::start().await;
    let witness = Broker::rabbitmq(config(&fragile.vhost.amqp_url)).await;
    timeout(LIMIT, witness.connected()).await.unwrap();
    // Opens the channel that the next publish will use.
    publish_one(&fragile.broker, Queue::Events, "before")
        .await
        .unwrap();
    fragile.proxy.forward_request_then_drop().await;
    let result = publish_one(&fragile.broker, Queue::Events, "cut off").await;
    assert_eq!(result, Err(PublishError::Unknown));
    eventually(LIMIT, async || {
        witness.depth(Queue::Events).await == Some(2)
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_given_up_for_a_new_connection() {
    let impatient = |url: String| config(&url).publish_timeout(Duration::from_millis(300));
    let fragile = Fragile::start_with(impatient).await;
    timeout(LIMIT, fragile.broker.connected()).await.unwrap();
    eventually(LIMIT, async || {
        publish_one(&fragile.broker, Queue::Events, "before").await
    })
    .await;
    fragile.proxy.stall().await;
    let results = fragile.broker.publish(Queue::Events, messages(0..2)).await;
    assert_eq!(
        results,
        [Err(PublishError::Unknown), Err(PublishError::Unknown)]
    );
    assert!(!fragile.broker.is_connected());
    fragile.proxy.heal().await;
    publish_until_confirmed(&fragile.broker, Queue::Events, "after").await;
}

#[tokio::test]
async fn a_wiped_broker_heals() {
    let harness = RabbitMq::start().await;
    let mut consumer = harness.broker().consume(Queue::Callbacks, 1).await;
    publish_one(harness.broker(), Queue::Callbacks, "before")
        .await
        .unwrap();
    next(&mut consumer).await.ack().await.unwrap();
    harness.vhost.wipe().await;
    publish_until_confirmed(harness.broker(), Queue::Callbacks, "after").await;
    consume_until(&mut consumer, "after").await;
}

#[tokio::test]
async fn a_message_without_a_queue_is_unroutable_until_the_queue_is_declared_again() {
    let harness = RabbitMq::start().await;
    publish_one(harness.broker(), Queue::Events, "before")
        .await
        .unwrap();
    manage(
        &harness.vhost,
        Method::DELETE,
        "queues/{vhost}/labwire.events",
        json!({}),
    )
    .await;
    let results = harness
        .broker()
        .publish(Queue::Events, messages(0..3))
        .await;
    assert_eq!(results, vec![Err(PublishError::Unroutable); 3]);
    publish_until_confirmed(harness.broker(), Queue::Events, "after").await;
}

#[tokio::test]
async fn a_consumer_survives_the_loss_of_its_queue_alone() {
    let harness = RabbitMq::start().await;
    let mut consumer = harness.broker().consume(Queue::Events, 1).await;
    publish_one(harness.broker(), Queue::Events, "before")
        .await
        .unwrap();
    next(&mut consumer).await.ack().await.unwrap();
    manage(
        &harness.vhost,
        Method::DELETE,
        "queues/{vhost}/labwire.events",
        json!({}),
    )
    .await;
    // Nobody publishes: it is the consumer that declares its queue again.
    eventually(LIMIT, async || {
        harness.broker().depth(Queue::Events).await == Some(0)
    })
    .await;
    publish_until_confirmed(harness.broker(), Queue::Events, "after").await;
    consume_until(&mut consumer, "after").await;
}

#[tokio::test]
async fn a_full_queue_refuses_more() {
    let harness = RabbitMq::start().await;
    let policy = json!({
        "pattern": "^labwire\\.events$",
        "definition": { "max-length": 2 },
        "apply-to": "queues",
    });
    manage(
        &harness.vhost,
        Method::PUT,
        "policies/{vhost}/small",
        policy,
    )
    .await;
    eventually(LIMIT, async || {
        let results = harness
            .broker()
            .publish(Queue::Events, messages(0..10))
            .await;
        results.contains(&Err(PublishError::Nacked))
    })
    .await;
    // A refusal is an answer: the connection stays.
    assert!(harness.broker().is_connected());
    assert_eq!(
        publish_one(harness.broker(), Queue::Outbound, "elsewhere").await,
        Ok(())
    );
}

#[tokio::test]
async fn concurrent_batches_get_their_own_answers() {
    let harness = RabbitMq::start().await;
    manage(
        &harness.vhost,
        Method::DELETE,
        "queues/{vhost}/labwire.events",
        json!({}),
    )
    .await;
    let (routed, unrouted) = tokio::join!(
        harness.broker().publish(Queue::Outbound, messages(0..50)),
        harness.broker().publish(Queue::Events, messages(0..50)),
    );
    assert_eq!(unrouted, vec![Err(PublishError::Unroutable); 50]);
    // Healing takes the connection, and with it the confirms that were still to come, but mixes nothing up.
    let expected = |result: &Result<(), PublishError>| {
        matches!(
            result,
            Ok(()) | Err(PublishError::Unknown | PublishError::Unavailable)
        )
    };
    assert!(routed.iter().all(expected), "{routed:?}");
}

#[tokio::test]
async fn messages_are_written_to_disk() {
    let harness = RabbitMq::start().await;
    publish_one(harness.broker(), Queue::Events, "durable")
        .await
        .unwrap();
    let ask = json!({ "count": 1, "ackmode": "ack_requeue_true", "encoding": "auto" });
    let path = "queues/{vhost}/labwire.events/get";
    let found: Value =
        serde_json::from_str(&manage(&harness.vhost, Method::POST, path, ask).await).unwrap();
    assert_eq!(found[0]["payload"], "durable");
    assert_eq!(found[0]["properties"]["delivery_mode"], 2);
}

#[tokio::test]
async fn queues_are_replicated_and_bounded_and_have_dead_letters() {
    let harness = RabbitMq::start().await;
    for queue in Queue::ALL {
        let path = format!("queues/{{vhost}}/{}", queue.name());
        let answer = manage(&harness.vhost, Method::GET, &path, json!({})).await;
        let declared: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(declared["durable"], true);
        assert_eq!(
            declared["arguments"],
            json!({
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-dead-letter-exchange": "labwire.dead",
                "x-dead-letter-routing-key": queue.name(),
                "x-dead-letter-strategy": "at-most-once",
                "x-max-length": MAX_LENGTH,
                "x-overflow": "reject-publish",
            })
        );
    }
}

#[tokio::test]
async fn a_broker_nobody_closed_disconnects_when_it_is_dropped() {
    let vhost = vhost().await;
    let broker = Broker::rabbitmq(config(&vhost.amqp_url)).await;
    let path = "vhosts/{vhost}/connections";
    let connections = async || manage(&vhost, Method::GET, path, json!({})).await;
    eventually(LIMIT, async || {
        connections().await.contains("queue tests consumer")
    })
    .await;
    let consumer = broker.consume(Queue::Events, 1).await;
    drop(broker);
    drop(consumer);
    eventually(LIMIT, async || connections().await == "[]").await;
}

#[test]
fn passwords_are_not_shown() {
    let config = RabbitConfig::new("amqp://lab:s3cret@broker:5672/labwire", "sender").unwrap();
    let shown = format!("{config:?}");
    assert!(
        shown.contains("broker") && !shown.contains("s3cret"),
        "{shown}"
    );
    let error = RabbitConfig::new("http://lab:s3cret@broker/labwire", "sender").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}
