use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::sleep,
};
use tower::Service as _;

const MAX_CONNECTIONS: usize = 8192;
const MAX_STREAMS: u32 = 256;
// Also how long an idle connection is kept. Longer than the pools of common clients keep theirs, so that they hang up
// first and never write into a connection that is being closed.
const HEADER_TIMEOUT: Duration = Duration::from_secs(100);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Server = auto::Builder<TokioExecutor>;

/// Serves until `shutdown`, then takes no new connection and completes when every request under way is answered.
/// Dropped, it cuts all connections: that is how a drain that takes too long is given up.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) {
    let server = server();
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            connection = accept(&listener, &permits) => {
                connections.spawn(connection.serve(server.clone(), router.clone(), graceful.watcher()));
            }
        }
    }
    // New connections are refused from here on rather than left waiting in the backlog.
    drop(listener);
    graceful.shutdown().await;
    while connections.join_next().await.is_some() {}
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, server: Server, router: Router, watcher: Watcher) {
        let peer = self.peer;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().call(request)
        });
        let connection = server.serve_connection(TokioIo::new(self.stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(error, "connection broke off");
        }
    }
}

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> Connection {
    let permit = Arc::clone(permits).acquire_owned().await;
    let permit = permit.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small answers must not wait for the client's delayed acknowledgement.
                let _optional = stream.set_nodelay(true);
                return Connection {
                    stream,
                    peer,
                    _permit: permit,
                };
            }
            // Out of descriptors, or the client went away: neither is a reason to stop listening.
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn server() -> Server {
    let mut server = Server::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS);
    server
}
