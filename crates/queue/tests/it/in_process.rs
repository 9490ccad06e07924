use metrics_exporter_prometheus::PrometheusBuilder;
use queue::{Broker, MAX_LENGTH, PublishError, Queue};

use crate::support::{message, messages, next, publish_one};

#[tokio::test]
async fn a_full_queue_refuses_more_until_there_is_room() {
    let broker = Broker::in_process();
    let results = broker
        .publish(Queue::Events, messages(0..MAX_LENGTH + 1))
        .await;
    let refused = results.iter().filter(|result| result.is_err()).count();
    assert_eq!(
        (refused, results.last()),
        (1, Some(&Err(PublishError::Nacked)))
    );
    assert_eq!(
        publish_one(&broker, Queue::Outbound, "elsewhere").await,
        Ok(())
    );

    let mut consumer = broker.consume(Queue::Events, 1).await;
    next(&mut consumer).await.ack().await.unwrap();
    assert_eq!(publish_one(&broker, Queue::Events, "room").await, Ok(()));
}

#[test]
fn metrics_count_what_happened() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let broker = Broker::in_process();
            let mut consumer = broker.consume(Queue::Events, 1).await;
            assert_eq!(
                broker.publish(Queue::Events, messages(0..2)).await,
                [Ok(()), Ok(())]
            );
            next(&mut consumer).await.ack().await.unwrap();
            next(&mut consumer).await.reject().await;
            broker.close().await;
            publish_one(&broker, Queue::Events, "late")
                .await
                .unwrap_err();
        });
    });
    let rendered = handle.render();
    for line in [
        r#"labwire_queue_published_total{queue="events"} 3"#,
        r#"labwire_queue_confirmed_total{queue="events"} 2"#,
        r#"labwire_queue_publish_failed_total{queue="events",reason="unavailable"} 1"#,
        r#"labwire_queue_consumed_total{queue="events"} 2"#,
        r#"labwire_queue_settled_total{queue="events",verdict="ack"} 1"#,
        r#"labwire_queue_settled_total{queue="events",verdict="reject"} 1"#,
    ] {
        assert!(rendered.contains(line), "{line} is not in:\n{rendered}");
    }
}

#[test]
fn debug_output_holds_no_body() {
    let shown = format!("{:?}", message("between lab and patient"));
    assert_eq!(shown, "Message { body_bytes: 23, traceparent: None }");
}
