use serde_json::Value;
use testkit::rabbitmq::{Vhost, vhost};

async fn call(method: reqwest::Method, url: String) -> reqwest::Response {
    let client = reqwest::Client::builder().build().unwrap();
    client
        .request(method, url)
        .basic_auth("guest", Some("guest"))
        .body("{}")
        .send()
        .await
        .unwrap()
}

async fn declare_queue(vhost: &Vhost) {
    let url = format!("{}/queues/{}/kept", vhost.api_url, vhost.name);
    let response = call(reqwest::Method::PUT, url).await;
    assert!(response.status().is_success(), "{response:?}");
}

async fn queues(vhost: &Vhost) -> usize {
    // Without statistics: they are of no use here, and gathered from all over the broker.
    let url = format!("{}/queues/{}?disable_stats=true", vhost.api_url, vhost.name);
    let response = call(reqwest::Method::GET, url).await;
    let status = response.status();
    let body = response.text().await.unwrap();
    let listed = serde_json::from_str::<Vec<Value>>(&body);
    assert!(listed.is_ok(), "{status}: {body}");
    listed.unwrap().len()
}

#[tokio::test]
async fn virtual_hosts_do_not_see_each_other() {
    let (first, second) = tokio::join!(vhost(), vhost());
    declare_queue(&first).await;
    assert_eq!((queues(&first).await, queues(&second).await), (1, 0));
    assert!(first.amqp_url.ends_with(&first.name));
}

#[tokio::test]
async fn a_wiped_virtual_host_is_empty_and_usable() {
    let vhost = vhost().await;
    declare_queue(&vhost).await;
    vhost.wipe().await;
    assert_eq!(queues(&vhost).await, 0);
    declare_queue(&vhost).await;
}

#[tokio::test]
async fn a_dropped_virtual_host_is_gone() {
    let gone = vhost().await;
    let url = format!("{}/vhosts/{}", gone.api_url, gone.name);
    drop(gone);
    assert_eq!(call(reqwest::Method::GET, url).await.status(), 404);
}
