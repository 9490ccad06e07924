//! What every broker promises.

use std::{collections::BTreeSet, pin::pin};

use futures::FutureExt;
use queue::{DELIVERY_LIMIT, Message, PublishError, Queue};
use tokio::time::timeout;

use crate::support::{
    Harness, LIMIT, assert_nothing_waits, body, dead_letters_become, message, messages, next,
    publish_one,
};

macro_rules! contract {
    ($($promise:ident)*) => {
        mod in_process {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(&crate::support::InProcess::start().await).await;
            })*
            use crate::support::Harness;
        }

        mod rabbitmq {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(&crate::support::RabbitMq::start().await).await;
            })*
            use crate::support::Harness;
        }
    };
}

contract! {
    a_message_arrives_as_it_was_published
    an_acknowledged_message_is_gone
    messages_are_confirmed_and_delivered_in_order
    the_trace_context_rides_along
    queues_do_not_mix
    a_waiting_consumer_is_woken
    a_dropped_delivery_comes_back_marked
    a_requeued_delivery_comes_back_and_can_be_acknowledged
    a_rejected_delivery_becomes_a_dead_letter
    a_delivery_returned_too_often_becomes_a_dead_letter
    prefetch_bounds_what_is_unsettled
    a_prefetch_of_zero_is_one
    settling_makes_room_for_the_next
    competing_consumers_share
    giving_up_a_wait_loses_nothing
    a_cancelled_consumer_keeps_what_it_handed_out_and_returns_the_rest
    a_dropped_consumer_returns_what_it_fetched_ahead
    closing_ends_consumers_and_publishing
    nothing_is_settled_after_closing
}

async fn a_message_arrives_as_it_was_published(harness: &impl Harness) {
    let broker = harness.broker();
    let mut consumer = broker.consume(Queue::Events, 1).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let large = Message {
        body: bytes.clone().into(),
        traceparent: None,
    };
    assert_eq!(
        broker
            .publish(Queue::Events, vec![large, message("")])
            .await,
        [Ok(()), Ok(())]
    );
    let delivery = next(&mut consumer).await;
    assert!(delivery.body == bytes);
    assert_eq!(delivery.traceparent, None);
    assert!(!delivery.redelivered);
    delivery.ack().await.unwrap();
    assert_eq!(body(&next(&mut consumer).await), "");
}

async fn an_acknowledged_message_is_gone(harness: &impl Harness) {
    let broker = harness.broker();
    publish_one(broker, Queue::Events, "once").await.unwrap();
    assert_eq!(broker.depth(Queue::Events).await, Some(1));
    let mut consumer = broker.consume(Queue::Events, 5).await;
    next(&mut consumer).await.ack().await.unwrap();
    assert_nothing_waits(broker, &mut consumer, Queue::Events).await;
    assert_eq!(broker.depth(Queue::Events).await, Some(0));
    assert_eq!(broker.dead_letters(Queue::Events).await, Some(0));
}

async fn messages_are_confirmed_and_delivered_in_order(harness: &impl Harness) {
    let broker = harness.broker();
    for batch in [0..300, 300..500] {
        let results = broker
            .publish(Queue::Outbound, messages(batch.clone()))
            .await;
        assert_eq!(results, vec![Ok(()); batch.len()]);
    }
    let mut consumer = broker.consume(Queue::Outbound, 50).await;
    for number in 0..500 {
        let delivery = next(&mut consumer).await;
        assert_eq!(body(&delivery), number.to_string());
        delivery.ack().await.unwrap();
    }
}

async fn the_trace_context_rides_along(harness: &impl Harness) {
    let broker = harness.broker();
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = Message {
        body: "traced".into(),
        traceparent: Some(traceparent.to_owned()),
    };
    assert_eq!(
        broker.publish(Queue::Callbacks, vec![traced]).await,
        [Ok(())]
    );
    let mut consumer = broker.consume(Queue::Callbacks, 1).await;
    assert_eq!(
        next(&mut consumer).await.traceparent.as_deref(),
        Some(traceparent)
    );
}

async fn queues_do_not_mix(harness: &impl Harness) {
    let broker = harness.broker();
    for queue in Queue::ALL {
        publish_one(broker, queue, queue.name()).await.unwrap();
    }
    for queue in Queue::ALL {
        let mut consumer = broker.consume(queue, 10).await;
        let delivery = next(&mut consumer).await;
        assert_eq!(body(&delivery), queue.name());
        delivery.ack().await.unwrap();
        assert_nothing_waits(broker, &mut consumer, queue).await;
    }
}

async fn a_waiting_consumer_is_woken(harness: &impl Harness) {
    let broker = harness.broker();
    let mut consumer = broker.consume(Queue::Events, 1).await;
    let waiting = next(&mut consumer);
    let publishing = publish_one(broker, Queue::Events, "for the one who waits");
    let (delivery, published) = tokio::join!(waiting, publishing);
    assert_eq!(published, Ok(()));
    assert_eq!(body(&delivery), "for the one who waits");
}

async fn a_dropped_delivery_comes_back_marked(harness: &impl Harness) {
    let broker = harness.broker();
    let mut consumer = broker.consume(Queue::Events, 1).await;
    publish_one(broker, Queue::Events, "dropped").await.unwrap();
    drop(next(&mut consumer).await);
    let delivery = next(&mut consumer).await;
    assert_eq!(body(&delivery), "dropped");
    assert!(delivery.redelivered);
    delivery.ack().await.unwrap();
    assert_nothing_waits(broker, &mut consumer, Queue::Events).await;
}

async fn a_requeued_delivery_comes_back_and_can_be_acknowledged(harness: &impl Harness) {
    let broker = harness.broker();
    let mut consumer = broker.consume(Queue::Events, 1).await;
    publish_one(broker, Queue::Events, "later").await.unwrap();
    next(&mut consumer).await.requeue().await;
    let delivery = next(&mut consumer).await;
    assert!(delivery.redelivered);
    delivery.ack().await.unwrap();
    assert_nothing_waits(broker, &mut consumer, Queue::Events).await;
}

async fn a_rejected_delivery_becomes_a_dead_letter(harness: &impl Harness) {
    let broker = harness.broker();
    let mut consumer = broker.consume(Queue::Callbacks, 1).await;
    publish_one(broker, Queue::Callbacks, "poison")
        .await
        .unwrap();
    next(&mut consumer).await.reject().await;
    dead_letters_become(broker, Queue::Callbacks, 1).await;
    assert_nothing_waits(broker, &mut consumer, Queue::Callbacks).await;
    assert_eq!(broker.dead_letters(Queue::Events).await, Some(0));
}

async fn a_delivery_returned_too_often_becomes_a_dead_letter(harness: &impl Harness) {
    let broker = harness.broker();
    let mut consumer = broker.consume(Queue::Events, 1).await;
    publish_one(broker, Queue::Events, "poison").await.unwrap();
    for _ in 0..=DELIVERY_LIMIT {
        let delivery = next(&mut consumer).await;
        assert_eq!(body(&delivery), "poison");
        delivery.requeue().await;
    }
    dead_letters_become(broker, Queue::Events, 1).await;
    assert_nothing_waits(broker, &mut consumer, Queue::Events).await;
}

async fn prefetch_bounds_what_is_unsettled(harness: &impl Harness) {
    let broker = harness.broker();
    let mut first = broker.consume(Queue::Outbound, 3).await;
    assert_eq!(
        broker.publish(Queue::Outbound, messages(0..10)).await,
        vec![Ok(()); 10]
    );
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(&mut first).await);
    }
    let mut fourth = pin!(first.next());
    let mut second = broker.consume(Queue::Outbound, 7).await;
    for _ in 0..7 {
        held.push(tokio::select! {
            biased;
            _ = &mut fourth => panic!("a consumer with a prefetch of 3 has a fourth delivery"),
            delivery = next(&mut second) => delivery,
        });
    }
    let bodies: BTreeSet<String> = held.iter().map(body).collect();
    assert_eq!(bodies.len(), 10);
}

async fn a_prefetch_of_zero_is_one(harness: &impl Harness) {
    let broker = harness.broker();
    let mut first = broker.consume(Queue::Outbound, 0).await;
    publish_one(broker, Queue::Outbound, "0").await.unwrap();
    let _held = next(&mut first).await;
    let mut second = broker.consume(Queue::Outbound, 2).await;
    assert_eq!(
        broker.publish(Queue::Outbound, messages(1..3)).await,
        [Ok(()), Ok(())]
    );
    let deliveries = [next(&mut second).await, next(&mut second).await];
    assert_eq!(deliveries.each_ref().map(body), ["1", "2"]);
}

async fn settling_makes_room_for_the_next(harness: &impl Harness) {
    let broker = harness.broker();
    let mut consumer = broker.consume(Queue::Outbound, 1).await;
    assert_eq!(
        broker.publish(Queue::Outbound, messages(0..4)).await,
        vec![Ok(()); 4]
    );
    let first = next(&mut consumer).await;
    assert!(consumer.next().now_or_never().is_none());
    first.ack().await.unwrap();
    let second = next(&mut consumer).await;
    assert_eq!(body(&second), "1");
    second.reject().await;
    let third = next(&mut consumer).await;
    assert_eq!(body(&third), "2");
    drop(third);
    assert_eq!(body(&next(&mut consumer).await), "2");
}

async fn competing_consumers_share(harness: &impl Harness) {
    let broker = harness.broker();
    let mut first = broker.consume(Queue::Events, 1).await;
    let mut second = broker.consume(Queue::Events, 1).await;
    assert_eq!(
        broker.publish(Queue::Events, messages(0..2)).await,
        [Ok(()), Ok(())]
    );
    let (one, other) = tokio::join!(next(&mut first), next(&mut second));
    assert_eq!(
        BTreeSet::from([body(&one), body(&other)]),
        BTreeSet::from(["0", "1"].map(String::from))
    );
}

async fn giving_up_a_wait_loses_nothing(harness: &impl Harness) {
    let broker = harness.broker();
    let mut consumer = broker.consume(Queue::Events, 2).await;
    assert!(consumer.next().now_or_never().is_none());
    publish_one(broker, Queue::Events, "patience")
        .await
        .unwrap();
    let delivery = timeout(LIMIT, async {
        loop {
            if let Some(delivery) = consumer.next().now_or_never() {
                return delivery.unwrap();
            }
            tokio::task::yield_now().await;
        }
    });
    let delivery = delivery.await.unwrap();
    assert_eq!(body(&delivery), "patience");
    assert!(!delivery.redelivered);
}

async fn a_cancelled_consumer_keeps_what_it_handed_out_and_returns_the_rest(
    harness: &impl Harness,
) {
    let broker = harness.broker();
    assert_eq!(
        broker.publish(Queue::Events, messages(0..5)).await,
        vec![Ok(()); 5]
    );
    let mut consumer = broker.consume(Queue::Events, 5).await;
    let held = next(&mut consumer).await;
    consumer.cancel().await;

    let mut successor = broker.consume(Queue::Events, 5).await;
    let mut rest = BTreeSet::new();
    for _ in 0..4 {
        let delivery = next(&mut successor).await;
        rest.insert(body(&delivery));
        delivery.ack().await.unwrap();
    }
    assert_eq!(rest, BTreeSet::from(["1", "2", "3", "4"].map(String::from)));
    assert_eq!(body(&held), "0");
    held.ack().await.unwrap();
    assert_nothing_waits(broker, &mut successor, Queue::Events).await;
}

async fn a_dropped_consumer_returns_what_it_fetched_ahead(harness: &impl Harness) {
    let broker = harness.broker();
    assert_eq!(
        broker.publish(Queue::Events, messages(0..3)).await,
        vec![Ok(()); 3]
    );
    let mut consumer = broker.consume(Queue::Events, 3).await;
    let held = next(&mut consumer).await;
    drop(consumer);
    drop(held);
    let mut successor = broker.consume(Queue::Events, 3).await;
    let mut bodies = BTreeSet::new();
    for _ in 0..3 {
        let delivery = next(&mut successor).await;
        bodies.insert(body(&delivery));
        delivery.ack().await.unwrap();
    }
    assert_eq!(bodies, BTreeSet::from(["0", "1", "2"].map(String::from)));
}

async fn closing_ends_consumers_and_publishing(harness: &impl Harness) {
    let broker = harness.broker();
    assert!(broker.is_connected());
    let mut idle = broker.consume(Queue::Events, 1).await;
    let mut busy = broker.consume(Queue::Outbound, 1).await;
    assert_eq!(
        broker.publish(Queue::Outbound, messages(0..2)).await,
        [Ok(()), Ok(())]
    );
    next(&mut busy).await.ack().await.unwrap();

    let (ended, ()) = tokio::join!(timeout(LIMIT, idle.next()), broker.close());
    assert!(ended.unwrap().is_none());
    assert!(timeout(LIMIT, busy.next()).await.unwrap().is_none());
    assert!(!broker.is_connected());
    assert!(broker.connected().now_or_never().is_none());
    let refused = publish_one(broker, Queue::Events, "too late").await;
    assert_eq!(refused, Err(PublishError::Unavailable));
    let mut late = broker.consume(Queue::Outbound, 1).await;
    assert!(timeout(LIMIT, late.next()).await.unwrap().is_none());
    timeout(LIMIT, broker.close()).await.unwrap();
}

async fn nothing_is_settled_after_closing(harness: &impl Harness) {
    let broker = harness.broker();
    let mut consumer = broker.consume(Queue::Events, 1).await;
    publish_one(broker, Queue::Events, "held").await.unwrap();
    let held = next(&mut consumer).await;
    broker.close().await;
    assert!(timeout(LIMIT, held.ack()).await.unwrap().is_err());
}
