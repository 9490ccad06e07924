//! A TCP proxy that fails on demand, between a client under test and its database, broker or HTTP server.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, watch},
    task::JoinSet,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Forward,
    Refuse,
    Stall,
    DropAnswers,
}

/// Forwards to one upstream until told otherwise.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    connections: Arc<Mutex<JoinSet<()>>>,
    _acceptor: JoinSet<()>,
}

impl TcpProxy {
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.unwrap_or_else(|error| panic!("cannot listen: {error}"));
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|error| panic!("no address: {error}"));
        let (mode, _) = watch::channel(Mode::Forward);
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(
            listener,
            upstream,
            mode.subscribe(),
            Arc::clone(&connections),
        ));
        Self {
            address,
            mode,
            connections,
            _acceptor: acceptor,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection, all of them before this returns, and resets new ones as soon as they are made.
    pub async fn cut(&self) {
        self.mode.send_replace(Mode::Refuse);
        self.connections.lock().await.shutdown().await;
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
        self.mode.send_replace(mode);
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    mode: watch::Receiver<Mode>,
    connections: Arc<Mutex<JoinSet<()>>>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let mut connections = connections.lock().await;
        while connections.try_join_next().is_some() {}
        if *mode.borrow() == Mode::Refuse {
            client.set_zero_linger().ok();
        } else {
            connections.spawn(serve(client, upstream, mode.clone()));
        }
    }
}

async fn serve(client: TcpStream, upstream: SocketAddr, mode: watch::Receiver<Mode>) {
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
        mode.clone(),
        Direction::Request,
    );
    let answers = pump(server_reader, client_writer, mode, Direction::Answer);
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
    mut mode: watch::Receiver<Mode>,
    direction: Direction,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        let Ok(current) = mode
            .wait_for(|mode| *mode != Mode::Stall)
            .await
            .map(|mode| *mode)
        else {
            return Err(aborted);
        };
        if current == Mode::DropAnswers && direction == Direction::Answer {
            return Err(aborted);
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..length).unwrap_or_default())
            .await?;
    }
}
