use std::{net::SocketAddr, time::Duration};

use testkit::{Receiver, TcpProxy, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(10);
const REQUEST: &[u8] = b"GET /asked HTTP/1.1\r\nhost: test\r\n\r\n";

async fn setup() -> (Receiver, TcpProxy) {
    let receiver = Receiver::start().await;
    let proxy = TcpProxy::start(receiver.address()).await;
    (receiver, proxy)
}

/// The first bytes of the answer; none when the connection ended before any came.
async fn ask(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = vec![0; 1024];
    stream.write_all(REQUEST).await.ok();
    let length = timeout(LIMIT, stream.read(&mut answer))
        .await
        .unwrap()
        .unwrap_or(0);
    answer.truncate(length);
    answer
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

#[tokio::test]
async fn it_forwards_both_ways() {
    let (receiver, proxy) = setup().await;
    let answer = ask(&mut connect(proxy.address()).await).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn a_cut_drops_old_connections_and_refuses_new_ones_until_it_heals() {
    let (receiver, proxy) = setup().await;
    let mut old = connect(proxy.address()).await;
    assert!(!ask(&mut old).await.is_empty());
    proxy.cut().await;
    assert!(ask(&mut old).await.is_empty());
    assert!(ask(&mut connect(proxy.address()).await).await.is_empty());
    proxy.heal().await;
    assert!(!ask(&mut connect(proxy.address()).await).await.is_empty());
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn a_stalled_connection_goes_on_when_it_heals() {
    let (receiver, proxy) = setup().await;
    let mut stream = connect(proxy.address()).await;
    assert!(!ask(&mut stream).await.is_empty());
    proxy.stall().await;
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = [0; 64];
    assert!(
        timeout(Duration::from_millis(200), stream.read(&mut answer))
            .await
            .is_err()
    );
    assert_eq!(receiver.requests().len(), 1);
    proxy.heal().await;
    assert!(
        timeout(LIMIT, stream.read(&mut answer))
            .await
            .unwrap()
            .unwrap()
            > 0
    );
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn a_dropped_answer_leaves_the_request_made() {
    let (receiver, proxy) = setup().await;
    proxy.forward_request_then_drop().await;
    let mut stream = connect(proxy.address()).await;
    assert!(ask(&mut stream).await.is_empty());
    eventually(LIMIT, async || receiver.requests().len() == 1).await;
}

#[tokio::test]
async fn a_reset_ends_old_connections_and_serves_new_ones() {
    let (receiver, proxy) = setup().await;
    let mut old = connect(proxy.address()).await;
    assert!(!ask(&mut old).await.is_empty());
    proxy.reset().await;
    assert!(ask(&mut old).await.is_empty());
    assert!(!ask(&mut connect(proxy.address()).await).await.is_empty());
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn an_abandoned_connection_is_silent_for_ever_and_new_ones_are_served() {
    let (receiver, proxy) = setup().await;
    let mut old = connect(proxy.address()).await;
    assert!(!ask(&mut old).await.is_empty());
    proxy.abandon().await;
    proxy.heal().await;
    old.write_all(REQUEST).await.unwrap();
    let mut answer = [0; 64];
    let silence = timeout(Duration::from_millis(200), old.read(&mut answer)).await;
    assert!(silence.is_err());
    assert!(!ask(&mut connect(proxy.address()).await).await.is_empty());
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn a_delay_holds_everything_back_and_loses_nothing() {
    let (receiver, proxy) = setup().await;
    proxy.delay(Duration::from_millis(150)).await;
    let mut stream = connect(proxy.address()).await;
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = [0; 64];
    let early = timeout(Duration::from_millis(200), stream.read(&mut answer)).await;
    assert!(early.is_err());
    let late = timeout(LIMIT, stream.read(&mut answer)).await.unwrap();
    assert!(late.unwrap() > 0);
    assert_eq!(receiver.requests().len(), 1);
}
