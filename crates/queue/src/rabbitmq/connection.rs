use std::{io, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::StreamExt;
use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties, Event,
    tcp::OwnedTLSConfig,
    uri::{AMQPScheme, AMQPUri},
};
use tokio::{
    sync::watch,
    time::{interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{ANSWER_TIMEOUT, RabbitConfig, socket::Socket};
use crate::{metrics, topology};

/// For the TCP connection, TLS and the AMQP handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For all declarations: new quorum queues take a cluster a moment each.
const DECLARE_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a connection is looked at, should its end be announced by no event.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Between attempts: 0.2 s at first, never more than 2 s, jitter included.
pub(super) fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .with_jitter()
        .build()
}

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Publisher,
    Consumer,
}

impl Role {
    fn label(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Consumer => "consumer",
        }
    }
}

/// The place where the current connection is found, while there is one.
#[derive(Debug)]
pub(super) struct Link {
    role: Role,
    current: watch::Sender<Option<Arc<Open>>>,
}

/// A connection with its topology declared.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) connection: Connection,
    socket: Socket,
    given_up: CancellationToken,
}

impl Link {
    pub(super) fn new(role: Role) -> Self {
        metrics::connected(role.label(), false);
        Self {
            role,
            current: watch::Sender::new(None),
        }
    }

    /// The connection, if it can be used at this moment.
    pub(super) fn open(&self) -> Option<Arc<Open>> {
        self.current
            .borrow()
            .clone()
            .filter(|open| open.is_usable())
    }

    /// Waits for a connection, for ever if there will be none.
    pub(super) async fn opened(&self) -> Arc<Open> {
        let mut current = self.current.subscribe();
        loop {
            if let Some(open) = self.open() {
                return open;
            }
            if current.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Open {
    /// Reports that it did not do what it should: a new connection takes its place.
    pub(super) fn give_up(&self) {
        self.given_up.cancel();
    }

    /// Whether the broker, short of memory or disk, takes no messages: it would confirm none.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    fn is_usable(&self) -> bool {
        let connected = self.connection.status().connected();
        connected && !self.is_blocked() && !self.given_up.is_cancelled()
    }
}

/// Keeps `link` connected until told to stop. Every error ends in a new connection: recovering one in place is what
/// client libraries do worst.
pub(super) async fn supervise(link: Arc<Link>, config: RabbitConfig, stop: CancellationToken) {
    let mut delays = backoff();
    loop {
        let Some(connected) = stop.run_until_cancelled(connect(&config, link.role)).await else {
            return;
        };
        match connected {
            Ok(open) => {
                delays = backoff();
                if hold(&link, Arc::new(open), &stop).await == End::Stopped {
                    return;
                }
                metrics::reconnecting(link.role.label());
            }
            Err(error) => warn!(role = link.role.label(), %error, "cannot connect to the broker"),
        }
        let delay = delays.next().unwrap_or(CHECK_INTERVAL);
        if stop.run_until_cancelled(sleep(delay)).await.is_none() {
            return;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Lost,
    Stopped,
}

/// Offers `open` to everyone until it breaks or we stop.
async fn hold(link: &Link, open: Arc<Open>, stop: &CancellationToken) -> End {
    let role = link.role.label();
    info!(role, "connected to the broker");
    link.current.send_replace(Some(Arc::clone(&open)));
    metrics::connected(role, true);
    let end = tokio::select! {
        biased;
        () = stop.cancelled() => End::Stopped,
        () = open.given_up.cancelled() => End::Lost,
        () = lost(link, &open) => End::Lost,
    };
    link.current.send_replace(None);
    metrics::connected(role, false);
    if end == End::Stopped {
        timeout(ANSWER_TIMEOUT, open.connection.close(200, "closing".into()))
            .await
            .ok();
        info!(role, "disconnected from the broker");
    } else {
        warn!(role, "lost the broker");
    }
    // Whatever still waits on this connection fails now, instead of at its own timeout.
    open.socket.shut_down();
    end
}

async fn lost(link: &Link, open: &Open) {
    let mut events = open.connection.events_listener();
    let mut check = interval(CHECK_INTERVAL);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = check.tick() => None,
        };
        let role = link.role.label();
        match event {
            Some(Event::ConnectionBlocked(reason)) => {
                warn!(role, %reason, "the broker takes no messages for now");
                metrics::connected(role, false);
            }
            Some(Event::ConnectionUnblocked) => {
                info!(role, "the broker takes messages again");
                metrics::connected(role, true);
                // Wakes those who wait for a usable connection.
                link.current.send_modify(|_| ());
            }
            _ => {}
        }
        if !open.connection.status().connected() {
            return;
        }
    }
}

async fn connect(config: &RabbitConfig, role: Role) -> lapin::Result<Open> {
    let name = format!("{} {}", config.connection_name, role.label());
    // Without `enable_auto_recover`: it can hang for ever, and a wiped broker is more than it recovers from.
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let socket = Socket::default();
    let handle = socket.handle();
    let runtime = lapin::runtime::default_runtime()?;
    let reactor = runtime.clone();
    let open_stream = async move |uri: AMQPUri, _| {
        let authority = uri.authority;
        let address = reactor.to_socket_addrs((authority.host.clone(), authority.port));
        let tcp = AsyncTcpStream::connect(&reactor, address);
        let tcp = timeout(CONNECT_TIMEOUT, tcp)
            .await
            .map_err(io::Error::from)??;
        if let AsyncTcpStream::Plain(stream) = &tcp {
            handle.remember(stream.get_ref())?;
        }
        Ok(match uri.scheme {
            AMQPScheme::AMQP => tcp,
            AMQPScheme::AMQPS => {
                tcp.into_tls(&authority.host, OwnedTLSConfig::default().as_ref())
                    .await?
            }
        })
    };
    let connecting = Connection::connector(config.uri.clone(), runtime, open_stream, properties);
    let connection = within(CONNECT_TIMEOUT, connecting).await?;
    let declared = within(DECLARE_TIMEOUT, async {
        let channel = connection.create_channel().await?;
        topology::declare(&channel).await
    });
    declared.await?;
    Ok(Open {
        connection,
        socket,
        given_up: CancellationToken::new(),
    })
}

pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = lapin::Result<T>>,
) -> lapin::Result<T> {
    timeout(limit, work)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
