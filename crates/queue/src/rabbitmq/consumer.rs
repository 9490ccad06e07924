use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use lapin::{
    Acker, Channel,
    message::Delivery as RawDelivery,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions,
        BasicQosOptions, BasicRejectOptions,
    },
    types::{AMQPValue, FieldTable},
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    ANSWER_TIMEOUT, Rabbit,
    connection::{Link, backoff, within},
    publisher::TRACEPARENT,
};
use crate::{
    delivery::{AckError, Delivery, Receipt as AnyReceipt, Verdict},
    topology::{self, Queue},
};

/// For declaring, prefetch and subscribing together.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(20);

/// The receiving end of a task that keeps the subscription alive.
#[derive(Debug)]
pub(crate) struct Consumer {
    deliveries: mpsc::Receiver<Delivery>,
    subscription: JoinHandle<()>,
    stopped: CancellationToken,
    // Consuming goes on when the last `Broker` was dropped.
    _broker: Arc<Rabbit>,
}

impl Consumer {
    pub(super) fn start(broker: Arc<Rabbit>, queue: Queue, prefetch: u16) -> Self {
        // The prefetch is what reads ahead; a queue here would only hide it.
        let (sender, deliveries) = mpsc::channel(1);
        let stopped = broker.stop_consuming.clone();
        let link = Arc::clone(&broker.consuming);
        let subscription = Subscription {
            link,
            queue,
            prefetch,
            deliveries: sender,
        };
        let subscription = broker.consumers.spawn(subscription.run(stopped.clone()));
        Self {
            deliveries,
            subscription,
            stopped,
            _broker: broker,
        }
    }

    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        loop {
            let received = self.stopped.run_until_cancelled(self.deliveries.recv());
            let delivery = received.await??;
            if !delivery.is_lost() {
                return Some(delivery);
            }
        }
    }

    pub(crate) async fn cancel(self) {
        let Self {
            deliveries,
            subscription,
            ..
        } = self;
        drop(deliveries);
        timeout(ANSWER_TIMEOUT, subscription).await.ok();
    }
}

struct Subscription {
    link: Arc<Link>,
    queue: Queue,
    prefetch: u16,
    deliveries: mpsc::Sender<Delivery>,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Lost,
    Stopped,
}

impl Subscription {
    async fn run(self, stopped: CancellationToken) {
        let queue = self.queue.name();
        let mut delays = backoff();
        while let Some(subscribed) = self.unless_stopped(&stopped, self.subscribe()).await {
            match subscribed {
                Ok((channel, mut messages)) => {
                    debug!(queue, "subscribed");
                    delays = backoff();
                    if self.forward(&channel, &mut messages, &stopped).await == End::Stopped {
                        unsubscribe(&channel, messages).await;
                        return;
                    }
                    warn!(queue, "lost the subscription");
                }
                Err(error) => warn!(queue, %error, "cannot subscribe"),
            }
            let delay = delays.next().unwrap_or(ANSWER_TIMEOUT);
            if self.unless_stopped(&stopped, sleep(delay)).await.is_none() {
                return;
            }
        }
    }

    /// `None` once the broker is closed or nobody waits for deliveries any more.
    async fn unless_stopped<F: Future>(
        &self,
        stopped: &CancellationToken,
        work: F,
    ) -> Option<F::Output> {
        tokio::select! {
            biased;
            () = stopped.cancelled() => None,
            () = self.deliveries.closed() => None,
            output = work => Some(output),
        }
    }

    async fn subscribe(&self) -> lapin::Result<(Arc<Channel>, lapin::Consumer)> {
        let open = self.link.opened().await;
        let subscribed = within(SUBSCRIBE_TIMEOUT, async {
            let channel = open.connection.create_channel().await?;
            // The queue may have been deleted while the connection lived.
            topology::declare(&channel).await?;
            self.consume(&channel)
                .await
                .map(|messages| (Arc::new(channel), messages))
        });
        subscribed.await.inspect_err(|_| open.give_up())
    }

    async fn consume(&self, channel: &Channel) -> lapin::Result<lapin::Consumer> {
        // Per consumer: quorum queues know no limit for a whole channel.
        let qos = BasicQosOptions { global: false };
        channel.basic_qos(self.prefetch, qos).await?;
        let options = BasicConsumeOptions {
            // Deliver also what this connection published, should it ever do so.
            no_local: false,
            // A message counts as handled when it is acknowledged, not when it is written to a socket.
            no_ack: false,
            // Share the queue with every other replica.
            exclusive: false,
            // Wait for the answer: without one we would not know that nothing will ever come.
            nowait: false,
        };
        // The broker makes up a consumer tag.
        channel
            .basic_consume(
                self.queue.name().into(),
                "".into(),
                options,
                FieldTable::default(),
            )
            .await
    }

    async fn forward(
        &self,
        channel: &Arc<Channel>,
        messages: &mut lapin::Consumer,
        stopped: &CancellationToken,
    ) -> End {
        loop {
            // First the place for a delivery, then the delivery: a message taken is never left in between.
            let Some(Ok(place)) = self
                .unless_stopped(stopped, self.deliveries.reserve())
                .await
            else {
                return End::Stopped;
            };
            match self.unless_stopped(stopped, messages.next()).await {
                Some(Some(Ok(message))) => place.send(self.deliver(channel, message)),
                Some(Some(Err(_)) | None) => return End::Lost,
                None => return End::Stopped,
            }
        }
    }

    fn deliver(&self, channel: &Arc<Channel>, message: RawDelivery) -> Delivery {
        Delivery {
            traceparent: traceparent(&message),
            redelivered: message.redelivered,
            queue: self.queue,
            receipt: AnyReceipt::Rabbit(Receipt {
                acker: message.acker,
                _channel: Arc::clone(channel),
            }),
            body: Bytes::from(message.data),
        }
    }
}

/// Has the broker send no more, and gives back what it sent ahead. The channel stays for what is still to be settled.
async fn unsubscribe(channel: &Channel, mut messages: lapin::Consumer) {
    // Wait for the answer: only then is all that was sent ahead here.
    let options = BasicCancelOptions { nowait: false };
    let ended = async {
        channel.basic_cancel(messages.tag(), options).await?;
        while let Some(message) = messages.next().await {
            message?.acker.nack(REQUEUE).await?;
        }
        lapin::Result::Ok(())
    };
    if !matches!(timeout(ANSWER_TIMEOUT, ended).await, Ok(Ok(()))) {
        // What we could not give back returns when the channel closes, which is with the last receipt.
        debug!("the subscription ended without the broker's word");
    }
}

fn traceparent(message: &RawDelivery) -> Option<String> {
    let headers = message.properties.headers().as_ref()?;
    match headers.inner().get(TRACEPARENT)? {
        AMQPValue::LongString(value) => Some(value.to_string()),
        _ => None,
    }
}

const REQUEUE: BasicNackOptions = BasicNackOptions {
    // This delivery, and not all those before it.
    multiple: false,
    // Back to the queue: the message itself has done nothing wrong.
    requeue: true,
};

/// One delivery in a consumer's hands. Dropped unsettled, its message goes back.
#[derive(Debug)]
pub(crate) struct Receipt {
    acker: Acker,
    // A delivery can be settled only on the channel it came by, which closes when its last owner goes.
    _channel: Arc<Channel>,
}

impl Receipt {
    pub(crate) async fn settle(self, verdict: Verdict) -> Result<(), AckError> {
        // This delivery, and not all those before it.
        let multiple = false;
        let settled = async {
            match verdict {
                Verdict::Ack => self.acker.ack(BasicAckOptions { multiple }).await,
                // Not back to the queue: that is what sends it to the dead letters.
                Verdict::Reject => {
                    self.acker
                        .reject(BasicRejectOptions { requeue: false })
                        .await
                }
                Verdict::Requeue => self.acker.nack(REQUEUE).await,
            }
        };
        match timeout(ANSWER_TIMEOUT, settled).await {
            Ok(Ok(true)) => Ok(()),
            // False: the channel had closed before.
            Ok(Ok(false) | Err(_)) | Err(_) => Err(AckError),
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.acker.usable() {
            // The first poll hands the request to the connection, which goes on with it by itself.
            self.acker.nack(REQUEUE).now_or_never();
        }
    }
}

impl Delivery {
    /// Its channel is gone, and the broker has given the message to someone else or will.
    fn is_lost(&self) -> bool {
        matches!(&self.receipt, AnyReceipt::Rabbit(receipt) if receipt.acker.poisoned())
    }
}
