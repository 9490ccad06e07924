use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::ConnectInfo, routing::get as on_get};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinSet,
};
use web::serve;

struct Server {
    address: SocketAddr,
    entered: Arc<Notify>,
    release: Arc<Notify>,
    stop: oneshot::Sender<()>,
    running: JoinSet<()>,
}

async fn start() -> Server {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
        move || async move {
            entered.notify_one();
            release.notified().await;
            "done"
        }
    };
    let peer = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
    let router = Router::new()
        .route("/slow", on_get(slow))
        .route("/peer", on_get(peer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut running = JoinSet::new();
    running.spawn(serve(listener, router, async {
        let _dropped_too = stopped.await;
    }));
    Server {
        address,
        entered,
        release,
        stop,
        running,
    }
}

async fn ask(address: SocketAddr, path: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let local = stream.local_addr().unwrap().to_string();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    (stream, local)
}

/// All that is still to come until the server hangs up.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let _reset_is_an_end_too = stream.read_to_string(&mut text).await;
    text
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_serving_ends() {
    let mut server = start().await;
    let (stream, _) = ask(server.address, "/slow").await;
    server.entered.notified().await;

    server.stop.send(()).unwrap();
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    refused.await;
    server.release.notify_one();

    assert!(rest(stream).await.ends_with("done"));
    server.running.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let mut server = start().await;
    let (stream, local) = ask(server.address, "/peer").await;
    let mut head = [0; 12];
    let mut stream = stream;
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");

    server.stop.send(()).unwrap();
    server.running.join_next().await.unwrap().unwrap();

    assert!(rest(stream).await.ends_with(&local));
}

#[tokio::test]
async fn giving_up_cuts_what_is_under_way() {
    let mut server = start().await;
    let (stream, _) = ask(server.address, "/slow").await;
    server.entered.notified().await;

    server.running.shutdown().await;

    assert_eq!(rest(stream).await, "");
}
