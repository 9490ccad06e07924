//! A TCP proxy that fails on demand, between a client under test and its database, broker or HTTP server.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, watch},
    task::JoinSet,
    time::sleep,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Forward,
    Delay(Duration),
    Refuse,
    Stall,
    DropAnswers,
}

/// What holds for a connection depends on when it was made.
#[derive(Clone, Copy, Debug)]
struct Rule {
    mode: Mode,
    /// Connections with a smaller number are never forwarded again, nor closed.
    abandoned: u64,
}

/// The connections that are open, and the number of the next.
#[derive(Debug, Default)]
struct Connections {
    open: JoinSet<()>,
    next: u64,
}

/// Forwards to one upstream until told otherwise.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    rule: watch::Sender<Rule>,
    connections: Arc<Mutex<Connections>>,
    _acceptor: JoinSet<()>,
}

impl TcpProxy {
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.unwrap_or_else(|error| panic!("cannot listen: {error}"));
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|error| panic!("no address: {error}"));
        let (rule, _) = watch::channel(Rule {
            mode: Mode::Forward,
            abandoned: 0,
        });
        let connections = Arc::new(Mutex::new(Connections::default()));
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(
            listener,
            upstream,
            rule.subscribe(),
            Arc::clone(&connections),
        ));
        Self {
            address,
            rule,
            connections,
            _acceptor: acceptor,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection, all of them before this returns, and resets new ones as soon as they are made.
    pub async fn cut(&self) {
        self.rule.send_modify(|rule| rule.mode = Mode::Refuse);
        self.reset().await;
    }

    /// Resets every connection; new ones are served.
    pub async fn reset(&self) {
        self.connections.lock().await.open.shutdown().await;
    }

    /// Lets every connection fall silent for ever, without closing it: its peer is gone and nobody was told. New ones are served.
    pub async fn abandon(&self) {
        let connections = self.connections.lock().await;
        self.rule
            .send_modify(|rule| rule.abandoned = connections.next);
    }

    /// Forwards everything so much later.
    pub async fn delay(&self, delay: Duration) {
        self.switch(Mode::Delay(delay)).await;
    }

    /// Forwards again. Connections that were stalled go on with what they held back.
    pub async fn heal(&self) {
        self.switch(Mode::Forward).await;
    }

    /// Keeps and accepts connections, and forwards nothing in either direction.
    pub async fn stall(&self) {
        self.switch(Mode::Stall).await;
    }

    /// Lets requests through and resets the connection at the first byte of the answer: the server has acted, and
    /// the client cannot know.
    pub async fn forward_request_then_drop(&self) {
        self.switch(Mode::DropAnswers).await;
    }

    async fn switch(&self, mode: Mode) {
        let _accepting = self.connections.lock().await;
        self.rule.send_modify(|rule| rule.mode = mode);
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    rule: watch::Receiver<Rule>,
    connections: Arc<Mutex<Connections>>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let mut connections = connections.lock().await;
        while connections.open.try_join_next().is_some() {}
        if rule.borrow().mode == Mode::Refuse {
            client.set_zero_linger().ok();
        } else {
            let number = connections.next;
            connections.next += 1;
            connections
                .open
                .spawn(serve(client, upstream, (number, rule.clone())));
        }
    }
}

async fn serve(client: TcpStream, upstream: SocketAddr, rule: (u64, watch::Receiver<Rule>)) {
    // Dropping a socket with no time to linger resets it, as a lost peer would.
    client.set_zero_linger().ok();
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let (client_reader, client_writer) = client.into_split();
    let (server_reader, server_writer) = server.into_split();
    let requests = pump(
        client_reader,
        server_writer,
        rule.clone(),
        Direction::Request,
    );
    let answers = pump(server_reader, client_writer, rule, Direction::Answer);
    tokio::try_join!(requests, answers).ok();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Answer,
}

/// Copies until the end of the stream, which it passes on. The mode is looked at after each read, so that nothing
/// is forwarded under a mode that has ended.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (number, mut rule): (u64, watch::Receiver<Rule>),
    direction: Direction,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        let served = |rule: &Rule| rule.mode != Mode::Stall && rule.abandoned <= number;
        let Ok(current) = rule.wait_for(served).await.map(|rule| rule.mode) else {
            return Err(aborted);
        };
        match current {
            Mode::DropAnswers if direction == Direction::Answer => return Err(aborted),
            Mode::Delay(delay) => sleep(delay).await,
            _ => {}
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..length).unwrap_or_default())
            .await?;
    }
}
