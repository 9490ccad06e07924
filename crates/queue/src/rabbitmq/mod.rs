//! The broker over AMQP 0-9-1. Publishing and consuming have a connection each, so that a broker that slows its
//! publishers down does not slow acknowledgements. Must not know what is in a message.

mod connection;
mod consumer;
mod publisher;
mod socket;

use std::{fmt, sync::Arc, time::Duration};

use lapin::uri::AMQPUri;
use tokio::time::timeout;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

pub(crate) use self::consumer::{Consumer, Receipt};
use self::{
    connection::{Link, Role, supervise},
    publisher::Publisher,
};
use crate::{
    message::{Message, PublishError},
    topology::{self, Queue},
};

/// For one question and its answer on a connection that works.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Seconds. A peer that vanished without a word is noticed after twice this.
const HEARTBEAT: u16 = 10;

/// Where the broker is, and how long to wait for it.
#[derive(Clone)]
pub struct RabbitConfig {
    uri: AMQPUri,
    connection_name: String,
    publish_timeout: Duration,
}

/// The URL is not shown: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an AMQP URL: expected something like amqp://user:password@host:5672/vhost")]
pub struct InvalidUrl;

impl RabbitConfig {
    /// `connection_name` is how the broker's own pages call us.
    pub fn new(url: &str, connection_name: impl Into<String>) -> Result<Self, InvalidUrl> {
        let mut uri: AMQPUri = url.parse().map_err(|_| InvalidUrl)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(Self {
            uri,
            connection_name: connection_name.into(),
            publish_timeout: ANSWER_TIMEOUT,
        })
    }

    /// For a whole publish, from the call to the last confirm.
    #[must_use]
    pub fn publish_timeout(mut self, timeout: Duration) -> Self {
        self.publish_timeout = timeout;
        self
    }
}

impl fmt::Debug for RabbitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitConfig")
            .field("host", &self.uri.authority.host)
            .field("port", &self.uri.authority.port)
            .field("vhost", &self.uri.vhost)
            .field("connection_name", &self.connection_name)
            .field("publish_timeout", &self.publish_timeout)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) struct Rabbit {
    publisher: Publisher,
    publishing: Arc<Link>,
    consuming: Arc<Link>,
    consumers: TaskTracker,
    supervisors: TaskTracker,
    stop_consuming: CancellationToken,
    disconnect: CancellationToken,
    // Tasks end with the broker, also when nobody closes it.
    _stop_on_drop: [DropGuard; 2],
}

impl Rabbit {
    pub(crate) fn start(config: &RabbitConfig) -> Self {
        let publishing = Arc::new(Link::new(Role::Publisher));
        let consuming = Arc::new(Link::new(Role::Consumer));
        let (stop_consuming, disconnect) = (CancellationToken::new(), CancellationToken::new());
        let publisher = Publisher::new(Arc::clone(&publishing), config.publish_timeout);
        let supervisors = TaskTracker::new();
        for link in [&publishing, &consuming] {
            supervisors.spawn(supervise(
                Arc::clone(link),
                config.clone(),
                disconnect.clone(),
            ));
        }
        Self {
            publisher,
            publishing,
            consuming,
            consumers: TaskTracker::new(),
            supervisors,
            _stop_on_drop: [
                stop_consuming.clone().drop_guard(),
                disconnect.clone().drop_guard(),
            ],
            stop_consuming,
            disconnect,
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.publishing.open().is_some() && self.consuming.open().is_some()
    }

    pub(crate) async fn connected(&self) {
        self.publishing.opened().await;
        self.consuming.opened().await;
    }

    pub(crate) async fn publish(
        &self,
        queue: Queue,
        messages: &[Message],
    ) -> Vec<Result<(), PublishError>> {
        self.publisher.publish(queue, messages).await
    }

    pub(crate) fn consume(self: &Arc<Self>, queue: Queue, prefetch: u16) -> Consumer {
        Consumer::start(Arc::clone(self), queue, prefetch)
    }

    pub(crate) async fn ready_messages(&self, name: &'static str) -> Option<u64> {
        let open = self.publishing.open()?;
        let count = timeout(ANSWER_TIMEOUT, async {
            let channel = open.connection.create_channel().await?;
            topology::ready_messages(&channel, name).await
        });
        count.await.ok()?.ok().map(u64::from)
    }

    /// Each step leaves the next one a working connection to say goodbye on.
    pub(crate) async fn close(&self) {
        self.stop_consuming.cancel();
        self.consumers.close();
        timeout(ANSWER_TIMEOUT, self.consumers.wait()).await.ok();
        self.publisher.close().await;
        self.disconnect.cancel();
        self.supervisors.close();
        timeout(ANSWER_TIMEOUT, self.supervisors.wait()).await.ok();
    }
}
