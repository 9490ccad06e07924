//! Where callbacks must not go. Each test watches a port that nothing may connect to.

use std::{io, net::SocketAddr, net::TcpListener, sync::Arc};

use callback_worker::{Finding, SystemDns};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::support::{PAYLOAD, Stage, config, deliver, stage};

/// A port of this machine that notices who knocks.
struct Door(TcpListener);

impl Door {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn was_knocked_at(&self) -> bool {
        match self.0.accept() {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => panic!("cannot watch the door: {error}"),
        }
    }
}

/// A name server in a stranger's hands.
struct Lying(&'static [&'static str]);

impl Resolve for Lying {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Vec<SocketAddr> = self
            .0
            .iter()
            .map(|text| SocketAddr::new(text.parse().unwrap(), 0))
            .collect();
        Box::pin(async { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

async fn call(stage: &Stage, url: &str, dns: impl Resolve + 'static, loopback: &str) -> Finding {
    let lab = stage.lab(url).await;
    let claim = stage.callback(&lab, PAYLOAD).await;
    let config = config(&[("ALLOW_LOOPBACK", loopback), ("TIMEOUT", "300ms")]);
    let handler = stage.handler_with(&config, Arc::new(dns), stage.worker.clone());
    deliver(&handler, &claim).await.finding
}

fn reason(finding: &Finding) -> &str {
    match finding {
        Finding::Later { reason, .. } | Finding::GivenUp { reason, .. } => reason,
        other => panic!("expected a failure, got {other:?}"),
    }
}

const NOT_PUBLIC: &str = "the endpoint's address is not a public one";

#[tokio::test]
async fn an_address_of_this_machine_is_never_connected_to() {
    let (stage, door) = (stage().await, Door::new());
    for host in [
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "127.1",
        "2130706433",
    ] {
        let url = format!("https://{host}:{}/", door.port());
        let finding = call(&stage, &url, SystemDns, "false").await;
        assert!(matches!(finding, Finding::GivenUp { .. }), "{finding:?}");
        assert_eq!(reason(&finding), NOT_PUBLIC, "{host}");
    }
    assert!(!door.was_knocked_at());
}

#[tokio::test]
async fn a_name_of_this_machine_is_never_connected_to() {
    let (stage, door) = (stage().await, Door::new());
    let url = format!("https://localhost:{}/", door.port());
    let finding = call(&stage, &url, SystemDns, "false").await;
    assert!(matches!(finding, Finding::Later { .. }), "{finding:?}");
    assert_eq!(reason(&finding), NOT_PUBLIC);
    assert!(!door.was_knocked_at());
}

#[tokio::test]
async fn a_name_that_leads_inside_is_never_connected_to() {
    let (stage, door) = (stage().await, Door::new());
    let url = format!("https://lims.example:{}/", door.port());
    let inside = Lying(&[
        "10.0.0.1",
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
    ]);
    let finding = call(&stage, &url, inside, "false").await;
    assert_eq!(reason(&finding), NOT_PUBLIC);
    assert!(!door.was_knocked_at());
}

#[tokio::test]
async fn the_watch_would_notice_a_knock() {
    let (stage, door) = (stage().await, Door::new());
    let url = format!("https://lims.example:{}/", door.port());
    call(&stage, &url, Lying(&["127.0.0.1"]), "true").await;
    assert!(door.was_knocked_at());
}

#[tokio::test]
async fn an_address_inside_is_refused_where_loopback_is_allowed() {
    let stage = stage().await;
    let finding = call(&stage, "https://10.0.0.1/", SystemDns, "true").await;
    assert_eq!(reason(&finding), NOT_PUBLIC);
    let inside = Lying(&["192.168.0.1", "169.254.169.254"]);
    let finding = call(&stage, "https://lims.example/", inside, "true").await;
    assert_eq!(reason(&finding), NOT_PUBLIC);
}

#[tokio::test]
async fn a_url_without_tls_is_never_called() {
    let (stage, door) = (stage().await, Door::new());
    let not_https = "the endpoint's URL is not https";
    let loopback = format!("http://127.0.0.1:{}/", door.port());
    let finding = call(&stage, &loopback, SystemDns, "false").await;
    assert_eq!(reason(&finding), not_https);
    let named = format!("http://lims.example:{}/", door.port());
    let finding = call(&stage, &named, Lying(&["127.0.0.1"]), "true").await;
    assert_eq!(reason(&finding), not_https);
    assert!(!door.was_knocked_at());
}

#[tokio::test]
async fn what_is_told_of_a_failure_does_not_quote_the_url() {
    let stage = stage().await;
    for url in [
        "https://user:hunter2@127.0.0.1:1/hunter2?token=hunter2",
        "https://hunter2.example:1/",
        "hunter2",
    ] {
        let nowhere = Lying(&[]);
        let finding = call(&stage, url, nowhere, "true").await;
        assert!(!format!("{finding:?}").contains("hunter2"), "{finding:?}");
    }
}
