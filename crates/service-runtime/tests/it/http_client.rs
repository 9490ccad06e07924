use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, response::Redirect, routing::get};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use service_runtime::{
    Lifecycle,
    http_client::{self, Timeouts},
    listener,
};

struct Pinned(SocketAddr);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(async { Ok(addresses) })
    }
}

async fn serve(lifecycle: &Lifecycle) -> SocketAddr {
    let router = Router::new()
        .route(
            "/moved",
            get(|| async { Redirect::temporary("/elsewhere") }),
        )
        .route("/silent", get(std::future::pending::<()>));
    let listener = listener("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    lifecycle.spawn("server", async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let lifecycle = Lifecycle::for_tests();
    let address = serve(&lifecycle).await;
    let client = http_client::new(Timeouts::default(), "labwire-test")
        .build()
        .unwrap();

    let response = client
        .get(format!("http://{address}/moved"))
        .send()
        .await
        .unwrap();

    assert_eq!(response.status(), 307);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let lifecycle = Lifecycle::for_tests();
    let address = serve(&lifecycle).await;
    let timeouts = Timeouts {
        total: Duration::from_millis(50),
        ..Timeouts::default()
    };
    let client = http_client::new(timeouts, "labwire-test").build().unwrap();

    let error = client
        .get(format!("http://{address}/silent"))
        .send()
        .await
        .unwrap_err();

    assert!(error.is_timeout(), "{error:?}");
}

#[tokio::test]
async fn a_resolver_decides_where_a_name_leads() {
    let lifecycle = Lifecycle::for_tests();
    let address = serve(&lifecycle).await;
    let client = http_client::new(Timeouts::default(), "labwire-test")
        .resolver(Arc::new(Pinned(address)))
        .build()
        .unwrap();

    let url = format!("http://no-such-host.invalid:{}/moved", address.port());
    let response = client.get(url).send().await.unwrap();

    assert_eq!(response.status(), 307);
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let held = listener("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = held.local_addr().unwrap();
    let error = listener(address).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
}
