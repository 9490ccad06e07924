use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use http::{HeaderMap, HeaderName};
use uuid::Uuid;

/// The header of the W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const SAMPLED: u8 = 1;

/// The trace that a request belongs to: the client's, or one that begins here.
///
/// [`traceparent`](Self::traceparent) names our own span, ready to be handed on with whatever the request causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    pub traceparent: String,
}

impl TraceContext {
    /// Begins a trace.
    pub fn new_root() -> Self {
        Self::build(Uuid::new_v4().as_u128(), SAMPLED)
    }

    /// A span of ours in the trace of `traceparent`, if that is valid.
    pub fn child_of(traceparent: &str) -> Option<Self> {
        let (trace_id, flags) = parse(traceparent)?;
        Some(Self::build(trace_id, flags & SAMPLED))
    }

    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        };
        value
            .and_then(Self::child_of)
            .unwrap_or_else(Self::new_root)
    }

    /// 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap_or_default()
    }

    fn build(trace_id: u128, flags: u8) -> Self {
        // The lower half of a random UUID holds its variant bits, so it is never zero, which would be invalid.
        let (_, span_id) = Uuid::new_v4().as_u64_pair();
        Self {
            traceparent: format!("00-{trace_id:032x}-{span_id:016x}-{flags:02x}"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TraceContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let context = parts.extensions.get::<Self>().cloned();
        Ok(context.unwrap_or_else(|| Self::of_request(&parts.headers)))
    }
}

fn parse(traceparent: &str) -> Option<(u128, u8)> {
    let mut parts = traceparent.trim().split('-');
    let version = hex(parts.next()?, 2)?;
    let trace_id = hex(parts.next()?, 32)?;
    let span_id = hex(parts.next()?, 16)?;
    let flags = hex(parts.next()?, 2)?;
    // Version 255 is forbidden; a later version than 0 may go on after the flags.
    let fits = version != 0xff && (version > 0 || parts.next().is_none());
    let flags = u8::try_from(flags).ok()?;
    (fits && trace_id != 0 && span_id != 0).then_some((trace_id, flags))
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != digits || !is_hex {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}
