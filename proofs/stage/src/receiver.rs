use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use chrono::{DateTime, Utc};
use domain::{Clock as _, SystemClock};
use serde::Serialize;
use tokio::{net::TcpListener, task::JoinSet};

use crate::ledgers::Ledger;

const SIGNED: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// A callback as it came, and was taken.
#[derive(Clone, Debug, Serialize)]
pub struct Callback {
    pub at: DateTime<Utc>,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// Where the LIMS hear of their messages. It believes everything: whether the signatures hold is for others to say.
#[derive(Debug)]
pub struct CallbackReceiver {
    address: SocketAddr,
    taken: Ledger<Callback>,
    refuses: Arc<AtomicU32>,
    _server: JoinSet<()>,
}

#[derive(Clone)]
struct Shared {
    taken: Ledger<Callback>,
    refuses: Arc<AtomicU32>,
}

impl CallbackReceiver {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Shared {
            taken: Ledger::default(),
            refuses: Arc::default(),
        };
        let (taken, refuses) = (shared.taken.clone(), Arc::clone(&shared.refuses));
        let router = Router::new()
            .route("/callbacks", post(receive))
            .with_state(shared);
        let mut server = JoinSet::new();
        server.spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Ok(Self {
            address,
            taken,
            refuses,
            _server: server,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/callbacks", self.address)
    }

    /// Answers so many callbacks with 503.
    pub fn refuse(&self, count: u32) {
        self.refuses.store(count, Ordering::Relaxed);
    }

    pub fn taken(&self) -> &Ledger<Callback> {
        &self.taken
    }
}

async fn receive(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let refuses = |left: u32| left.checked_sub(1);
    let order = Ordering::Relaxed;
    if shared.refuses.fetch_update(order, order, refuses).is_ok() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let value = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
    let headers = SIGNED.iter();
    shared.taken.note(Callback {
        at: SystemClock.now(),
        headers: headers
            .filter_map(|name| Some(((*name).to_owned(), value(name)?)))
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    StatusCode::NO_CONTENT
}
