use bytes::{Bytes, BytesMut};
use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::{classify::classify, graph_error::GraphError, usage};
use crate::{Rejection, SendError, TransportError, Trouble, Usage};

/// A page of templates is the largest answer that is expected.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// What Meta says to a token that it cannot read.
const INVALID_TOKEN: i64 = 190;

/// What the provider answered, and what came beside it.
pub(super) struct Answer<T> {
    pub(super) value: T,
    pub(super) usage: Usage,
    pub(super) trace_id: Option<String>,
}

/// Makes one request, once.
pub(super) async fn exchange<T: DeserializeOwned>(
    request: RequestBuilder,
    token: &SecretString,
) -> Result<Answer<T>, SendError> {
    let request = request.header(AUTHORIZATION, authorization(token)?);
    failpoints::reach_soon("provider.written");
    let response = request.send().await.map_err(lost)?;
    failpoints::reach("provider.answered");
    let status = response.status();
    let usage = usage::in_headers(response.headers());
    let trace_id = trace_id(&response);
    let body = read(response).await?;
    // Whatever the status, even a 5xx: Meta's own envelope says that the request was not carried out.
    if let Some(error) = GraphError::in_body(&body) {
        return Err(rejected(error, status, usage, trace_id));
    }
    match serde_json::from_slice(&body) {
        Ok(value) if status.is_success() => Ok(Answer {
            value,
            usage,
            trace_id,
        }),
        // Somebody else's answer, or half of one: a proxy's page does not say how far the request came.
        _ => Err(unreadable(status)),
    }
}

/// A token that fits no header cannot even be asked about; Meta would not know it either.
fn authorization(token: &SecretString) -> Result<HeaderValue, SendError> {
    let mut value =
        HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(|_| {
            let error = GraphError {
                code: INVALID_TOKEN,
                ..GraphError::default()
            };
            rejected(error, StatusCode::UNAUTHORIZED, Usage::default(), None)
        })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Only while connecting (name, TCP, TLS) is it sure that nothing was written. Everything later, a timeout of
/// the whole call too, may have reached the provider.
pub(super) fn lost(error: reqwest::Error) -> SendError {
    let trouble = if error.is_builder() {
        Trouble::Unbuildable
    } else if error.is_connect() {
        Trouble::Unreachable
    } else if error.is_timeout() {
        Trouble::TimedOut
    } else {
        Trouble::ConnectionLost
    };
    let source = TransportError::caused_by(trouble, error.without_url());
    match trouble {
        Trouble::Unbuildable | Trouble::Unreachable => SendError::NotSent { source },
        _ => SendError::Ambiguous { source },
    }
}

async fn read(mut response: Response) -> Result<Bytes, SendError> {
    let status = response.status();
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(unreadable(status));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn unreadable(status: StatusCode) -> SendError {
    let status = status.as_u16();
    SendError::Ambiguous {
        source: TransportError::new(Trouble::UnreadableAnswer { status }),
    }
}

fn rejected(
    error: GraphError,
    status: StatusCode,
    usage: Usage,
    trace_id: Option<String>,
) -> SendError {
    let http_status = status.as_u16();
    let words = [error.message.as_deref(), error.details.as_deref()];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    SendError::Rejected(Box::new(Rejection {
        classified: classify(&error, http_status),
        code: error.code,
        subcode: error.subcode,
        http_status,
        details: (!words.is_empty()).then(|| words.join(": ").into()),
        trace_id: error.fbtrace_id.or(trace_id),
        usage,
    }))
}

fn trace_id(response: &Response) -> Option<String> {
    let value = response.headers().get("x-fb-trace-id")?;
    value.to_str().ok().map(str::to_owned)
}
