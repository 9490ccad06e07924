use std::{error::Error, iter::successors, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::{
    Client, Response, StatusCode,
    dns::Resolve,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use secrecy::SecretString;
use service_runtime::http_client::{self, Timeouts};
use tokio::time::timeout;
use url::Url;

use crate::{
    AddressPolicy, Forbidden,
    resolver::Filtered,
    signature::{InvalidSecret, sign},
};

/// What is read of an answer, so that its connection can be used again. Nobody looks at it.
const DRAINED_BYTES: usize = 8 * 1024;
const DRAINED_FOR: Duration = Duration::from_millis(500);

/// Posts signed callbacks to addresses that the policy allows.
pub struct Poster {
    http: Client,
    policy: AddressPolicy,
}

/// One callback, ready to go.
pub(crate) struct Callback<'a> {
    pub(crate) id: &'a str,
    pub(crate) url: &'a str,
    pub(crate) secret: &'a SecretString,
    pub(crate) payload: String,
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) at: DateTime<Utc>,
}

/// What an endpoint said.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// As the endpoint wishes, on 429 and 503.
    pub(crate) retry_after: Option<Duration>,
}

/// Why an endpoint was not heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// No repetition will change it.
    #[error(transparent)]
    Url(Forbidden),
    /// What the name leads to now; it may lead elsewhere later.
    #[error(transparent)]
    Address(Forbidden),
    #[error("the endpoint's secret cannot be read")]
    Secret,
    #[error("the endpoint did not answer in time")]
    Timeout,
    #[error("the endpoint could not be connected to")]
    Connect,
    #[error("the connection to the endpoint broke")]
    Broken,
}

impl Poster {
    /// `dns` is asked for names; what it answers is filtered.
    pub fn new(
        timeout: Duration,
        policy: AddressPolicy,
        dns: Arc<dyn Resolve>,
    ) -> reqwest::Result<Self> {
        let timeouts = Timeouts {
            connect: Timeouts::default().connect.min(timeout),
            read: timeout,
            total: timeout,
        };
        let http = http_client::new(timeouts, "Labwire-Callback/1.0")
            .resolver(Arc::new(Filtered { inner: dns, policy }))
            .build()?;
        Ok(Self { http, policy })
    }

    pub(crate) async fn post(&self, callback: Callback<'_>) -> Result<Answer, Failure> {
        let url = Url::parse(callback.url).map_err(|_| Failure::Url(Forbidden::Unreadable))?;
        self.policy.check_url(&url).map_err(Failure::Url)?;
        let timestamp = callback.at.timestamp();
        let signature = sign(callback.secret, callback.id, timestamp, &callback.payload)
            .map_err(|InvalidSecret| Failure::Secret)?;
        let mut request = self
            .http
            .post(url)
            .header("webhook-id", callback.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .header(CONTENT_TYPE, "application/json")
            .body(callback.payload);
        if let Some(traceparent) = callback
            .traceparent
            .and_then(|text| HeaderValue::from_str(text).ok())
        {
            request = request.header("traceparent", traceparent);
        }
        failpoints::reach_soon("callback.written");
        let response = request.send().await.map_err(|error| failure(&error))?;
        failpoints::reach("callback.answered");
        let answer = Answer {
            status: response.status(),
            retry_after: retry_after(&response, callback.at),
        };
        drain(response).await;
        Ok(answer)
    }
}

/// The error itself is not passed on: it quotes the URL.
fn failure(error: &reqwest::Error) -> Failure {
    let mut causes = successors(Some(error as &(dyn Error + 'static)), |&cause| {
        cause.source()
    });
    if let Some(forbidden) = causes.find_map(|cause| cause.downcast_ref::<Forbidden>()) {
        return Failure::Address(*forbidden);
    }
    if error.is_timeout() {
        Failure::Timeout
    } else if error.is_connect() {
        Failure::Connect
    } else {
        Failure::Broken
    }
}

fn retry_after(response: &Response, now: DateTime<Utc>) -> Option<Duration> {
    if !matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        return None;
    }
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    (at.to_utc() - now).to_std().ok()
}

/// The status was the answer: what follows may be long, slow or broken.
async fn drain(mut response: Response) {
    let read = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > DRAINED_BYTES {
                return;
            }
        }
    };
    let _too_slow = timeout(DRAINED_FOR, read).await;
}
