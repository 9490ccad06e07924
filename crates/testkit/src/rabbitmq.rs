//! A RabbitMQ virtual host for each test.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::json;
use uuid::Uuid;

use crate::{background, database::parse, environment};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A virtual host of the test's own, deleted with this value.
#[derive(Debug)]
pub struct Vhost {
    pub name: String,
    pub amqp_url: String,
    /// The management API of the broker, for questions about this host.
    pub api_url: String,
}

/// A fresh virtual host without any queue.
pub async fn vhost() -> Vhost {
    let mut amqp_url = parse(&environment::required("LABWIRE_TEST_AMQP_URL"));
    let api_url = environment::required("LABWIRE_TEST_RABBITMQ_API");
    let name = format!("test-{}", Uuid::new_v4().simple());
    amqp_url.set_path(&name);
    create(&api_url, &name).await;
    Vhost {
        name,
        amqp_url: amqp_url.into(),
        api_url,
    }
}

impl Vhost {
    /// Deletes the virtual host with its connections, queues and messages, and creates it again: what is left of a
    /// broker that lost its disk.
    pub async fn wipe(&self) {
        delete(&self.api_url, &self.name)
            .await
            .unwrap_or_else(|error| {
                panic!("cannot delete the virtual host: {error}");
            });
        create(&self.api_url, &self.name).await;
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let (api_url, name) = (self.api_url.clone(), self.name.clone());
        background::finish(async move {
            delete(&api_url, &name).await.ok();
        });
    }
}

async fn create(api_url: &str, name: &str) {
    let created = async {
        call(Method::PUT, &format!("{api_url}/vhosts/{name}"), &json!({})).await?;
        let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        call(
            Method::PUT,
            &format!("{api_url}/permissions/{name}/guest"),
            &all,
        )
        .await
    };
    created
        .await
        .unwrap_or_else(|error| panic!("cannot create a virtual host: {error}"));
}

async fn delete(api_url: &str, name: &str) -> reqwest::Result<()> {
    call(
        Method::DELETE,
        &format!("{api_url}/vhosts/{name}"),
        &json!({}),
    )
    .await
}

async fn call(method: Method, url: &str, body: &serde_json::Value) -> reqwest::Result<()> {
    let client = Client::builder().timeout(TIMEOUT).build()?;
    let request = client
        .request(method, url)
        .basic_auth("guest", Some("guest"))
        .json(body);
    request.send().await?.error_for_status()?;
    Ok(())
}
