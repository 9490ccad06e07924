use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{Clock as _, SystemClock};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use service_runtime::Lifecycle;
use sha2::Sha256;
use tokio::net::TcpListener;

/// A callback from further away than this is a replay (Standard Webhooks).
const TOLERANCE_SECONDS: u64 = 5 * 60;

/// The systems of the labs, as far as callbacks go: they verify each one and note what it says.
#[derive(Clone)]
pub(super) struct Lims {
    address: SocketAddr,
    books: Arc<Mutex<HashMap<String, Book>>>,
}

#[derive(Default)]
struct Book {
    key: Vec<u8>,
    /// Message and state, once each however often it came.
    told: BTreeSet<(String, String)>,
    refused: usize,
}

/// The part of a callback that the labs look at.
#[derive(Deserialize)]
struct Callback {
    data: Update,
}

#[derive(Deserialize)]
struct Update {
    message_id: String,
    state: String,
}

impl Lims {
    pub(super) fn open(listener: TcpListener, lifecycle: &Lifecycle) -> anyhow::Result<Self> {
        let lims = Self {
            address: listener.local_addr()?,
            books: Arc::default(),
        };
        let router = Router::new()
            .route("/callbacks/{lab}", post(receive))
            .with_state(lims.clone());
        let draining = lifecycle.draining();
        lifecycle.spawn("lims", async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(draining)
                .await
        });
        Ok(lims)
    }

    pub(super) fn url(&self, lab: &str) -> String {
        format!("http://{}/callbacks/{lab}", self.address)
    }

    /// Callbacks of the lab are signed with this.
    pub(super) fn trust(&self, lab: &str, secret: &SecretString) -> anyhow::Result<()> {
        let encoded = secret.expose_secret().strip_prefix("whsec_");
        let key = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
        let key = key.context("the callback secret is not whsec_ and base64")?;
        self.books().entry(lab.to_owned()).or_default().key = key;
        Ok(())
    }

    /// Whether the lab was told that the message came to this state.
    pub(super) fn knows(&self, lab: &str, message_id: &str, state: &str) -> bool {
        let told = (message_id.to_owned(), state.to_owned());
        let books = self.books();
        books.get(lab).is_some_and(|book| book.told.contains(&told))
    }

    /// How many callbacks of the lab were verified, and how many were not.
    pub(super) fn count(&self, lab: &str) -> (usize, usize) {
        let books = self.books();
        let book = books.get(lab);
        book.map_or((0, 0), |book| (book.told.len(), book.refused))
    }

    fn take(&self, lab: &str, headers: &HeaderMap, body: &[u8]) -> StatusCode {
        let mut books = self.books();
        let Some(book) = books.get_mut(lab) else {
            return StatusCode::NOT_FOUND;
        };
        let callback = is_signed(&book.key, headers, body)
            .then(|| serde_json::from_slice::<Callback>(body).ok())
            .flatten();
        let Some(Callback { data }) = callback else {
            book.refused += 1;
            return StatusCode::UNAUTHORIZED;
        };
        book.told.insert((data.message_id, data.state));
        StatusCode::NO_CONTENT
    }

    fn books(&self) -> MutexGuard<'_, HashMap<String, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(
    State(lims): State<Lims>,
    Path(lab): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    lims.take(&lab, &headers, &body)
}

/// Standard Webhooks 1.0: `id.timestamp.body` under the endpoint's key, and not long ago.
fn is_signed(key: &[u8], headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(timestamp), Some(signatures)) = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    ) else {
        return false;
    };
    let now = SystemClock.now().timestamp();
    let is_recent = timestamp
        .parse::<i64>()
        .is_ok_and(|at| now.abs_diff(at) <= TOLERANCE_SECONDS);
    is_recent
        && signatures
            .split(' ')
            .any(|signature| matches_signature(key, (id, timestamp, body), signature))
}

fn matches_signature(
    key: &[u8],
    (id, timestamp, body): (&str, &str, &[u8]),
    signature: &str,
) -> bool {
    let claimed = signature
        .strip_prefix("v1,")
        .and_then(|encoded| STANDARD.decode(encoded).ok());
    let (Some(claimed), Ok(mut mac)) = (claimed, Hmac::<Sha256>::new_from_slice(key)) else {
        return false;
    };
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac.verify_slice(&claimed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn a_signature_holds_for_its_own_bytes_only() {
        let key = STANDARD
            .decode(SECRET.strip_prefix("whsec_").unwrap())
            .unwrap();
        let check = |id, body, signature| matches_signature(&key, (id, TIMESTAMP, body), signature);
        assert!(check(ID, BODY, SIGNATURE));
        assert!(!check("msg_other", BODY, SIGNATURE));
        assert!(!check(ID, br#"{"test":2432232314}"#, SIGNATURE));
        assert!(!check(ID, BODY, "v1,"));
        assert!(!check(ID, BODY, SIGNATURE.strip_prefix("v1,").unwrap()));
    }

    #[test]
    fn an_old_callback_is_not_believed() {
        let key = STANDARD
            .decode(SECRET.strip_prefix("whsec_").unwrap())
            .unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", ID.parse().unwrap());
        headers.insert("webhook-timestamp", TIMESTAMP.parse().unwrap());
        headers.insert("webhook-signature", SIGNATURE.parse().unwrap());
        assert!(!is_signed(&key, &headers, BODY));
    }
}
