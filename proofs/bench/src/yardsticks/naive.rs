//! The pipeline that one builds first: each request has a transaction and a publish of its own, and waits for both.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use domain::{Clock as _, EventId, SystemClock};
use hmac::{Hmac, KeyInit as _, Mac as _};
use queue::{Broker, Queue, RabbitConfig};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use storage::Database;
use tokio::{net::TcpListener, task::JoinSet};

use super::broker::message;

struct Naive {
    database: Database,
    broker: Broker,
    secret: SecretString,
}

/// Dropped, it stops.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    _server: JoinSet<()>,
}

pub(crate) async fn start(
    (database_url, amqp_url): (&str, &str),
    secret: SecretString,
    connections: usize,
) -> anyhow::Result<Running> {
    let broker = Broker::rabbitmq(RabbitConfig::new(amqp_url, "bench-naive")?).await;
    let connected = tokio::time::timeout(Duration::from_secs(20), broker.connected()).await;
    connected.context("RabbitMQ cannot be reached")?;
    let most = u32::try_from(connections.min(64))?;
    let naive = Naive {
        database: Database::connect(database_url, most, Duration::from_secs(10))?,
        broker,
        secret,
    };
    let router = Router::new()
        .route("/webhooks/meta/main", post(take))
        .with_state(Arc::new(naive));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut server = JoinSet::new();
    server.spawn(async move {
        axum::serve(listener, router).await.ok();
    });
    Ok(Running {
        address,
        _server: server,
    })
}

async fn take(State(naive): State<Arc<Naive>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match naive.store(&headers, &body).await {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl Naive {
    async fn store(&self, headers: &HeaderMap, body: &Bytes) -> anyhow::Result<bool> {
        let claimed = headers.get("x-hub-signature-256");
        let claimed = claimed.and_then(|it| it.to_str().ok()?.strip_prefix("sha256="));
        let claimed = hex::decode(claimed.unwrap_or_default()).unwrap_or_default();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes())?;
        mac.update(body);
        if mac.verify_slice(&claimed).is_err() {
            return Ok(false);
        }
        let now = SystemClock.now();
        let mut tx = self.database.begin().await?;
        let insert = "INSERT INTO events (id, app_key, headers, body, received_at) VALUES ($1, 'main', $2, $3, $4)";
        sqlx::query(insert)
            .bind(EventId::new_at(now).as_uuid())
            .bind(serde_json::json!([["user-agent", "facebookexternalua"]]))
            .bind(body.as_ref())
            .bind(now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        let published = self.broker.publish(Queue::Events, vec![message()]).await;
        published.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(true)
    }
}
