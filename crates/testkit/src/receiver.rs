//! An HTTP server that records what it is sent and answers as told: the LIMS at the other end of a callback.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, task::JoinSet};

use crate::eventually;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    /// A header's value, or an empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body of {} is not JSON: {error}", self.path))
    }
}

/// What the receiver says to one request.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(StatusCode),
    Full {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    },
    /// Holds the request until the client gives up.
    Never,
}

impl Answer {
    pub fn status(code: u16) -> Self {
        let status = StatusCode::from_u16(code);
        Self::Status(status.unwrap_or_else(|_| panic!("{code} is not an HTTP status")))
    }

    #[must_use]
    pub fn header(self, name: &'static str, value: &'static str) -> Self {
        let (status, mut headers, body) = self.parts();
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        Self::Full {
            status,
            headers,
            body,
        }
    }

    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        let (status, headers, _) = self.parts();
        Self::Full {
            status,
            headers,
            body: body.into(),
        }
    }

    fn parts(self) -> (StatusCode, HeaderMap, Bytes) {
        match self {
            Self::Status(status) => (status, HeaderMap::new(), Bytes::new()),
            Self::Full {
                status,
                headers,
                body,
            } => (status, headers, body),
            Self::Never => panic!("an answer that never comes has no headers and no body"),
        }
    }
}

#[derive(Debug)]
struct Script {
    requests: Vec<Received>,
    next: VecDeque<Answer>,
    otherwise: Answer,
}

/// Listens on a free loopback port until it is dropped. Answers 200 unless told otherwise.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    _server: JoinSet<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.unwrap_or_else(|error| panic!("cannot listen: {error}"));
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|error| panic!("no address: {error}"));
        let script = Arc::new(Mutex::new(Script {
            requests: Vec::new(),
            next: VecDeque::new(),
            otherwise: Answer::Status(StatusCode::OK),
        }));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&script));
        let mut server = JoinSet::new();
        server.spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Self {
            address,
            script,
            _server: server,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of `path`, which starts with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next request that has no answer yet; later ones queue up behind it.
    pub fn answer_next(&self, answer: Answer) {
        lock(&self.script).next.push_back(answer);
    }

    /// Answers every request for which nothing is queued.
    pub fn answer_all(&self, answer: Answer) {
        lock(&self.script).otherwise = answer;
    }

    /// Everything received so far, in order of arrival.
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.script).requests.clone()
    }

    /// Waits for at least `count` requests and returns all of them.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Vec<Received> {
        eventually(limit, async || {
            let requests = self.requests();
            if requests.len() < count {
                Err(requests)
            } else {
                Ok(requests)
            }
        })
        .await
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = {
        let mut script = lock(&script);
        script.requests.push(Received {
            method,
            path: uri.to_string(),
            headers,
            body,
        });
        script
            .next
            .pop_front()
            .unwrap_or_else(|| script.otherwise.clone())
    };
    match answer {
        Answer::Status(status) => status.into_response(),
        Answer::Full {
            status,
            headers,
            body,
        } => (status, headers, body).into_response(),
        Answer::Never => std::future::pending().await,
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}
