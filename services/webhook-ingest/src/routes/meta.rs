use axum::{
    body::Bytes,
    extract::{Path, Query, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
};
use domain::{EventId, WorkId};
use secrecy::ExposeSecret;
use serde::Deserialize;
use storage::events::NewEvent;
use subtle::ConstantTimeEq;
use web::TraceContext;

use crate::{Ingest, error::ApiError, metrics, signature::is_signed, store::flow_of};

/// What the provider asks when a callback URL is configured (Meta, "Create a webhook endpoint").
#[derive(Deserialize)]
pub(super) struct Verification {
    #[serde(rename = "hub.mode")]
    mode: String,
    #[serde(rename = "hub.challenge")]
    challenge: String,
    #[serde(rename = "hub.verify_token")]
    verify_token: String,
}

/// `GET`: answers the challenge, if the token is the app's.
pub(super) async fn verify(
    State(ingest): State<Ingest>,
    Path(app): Path<String>,
    Query(asked): Query<Verification>,
) -> Result<String, ApiError> {
    let app = ingest.apps.find(&app).await?.ok_or(ApiError::UnknownApp)?;
    let token = app.verify_token.expose_secret().as_bytes();
    let same: bool = token.ct_eq(asked.verify_token.as_bytes()).into();
    if asked.mode == "subscribe" && same {
        Ok(asked.challenge)
    } else {
        Err(ApiError::BadVerifyToken)
    }
}

/// `POST`: the signature before anything else; then 200 as soon as the event is durable.
pub(super) async fn receive(
    State(ingest): State<Ingest>,
    Path(app): Path<String>,
    trace: TraceContext,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ApiError> {
    let result = take(&ingest, app, trace, &headers, body).await;
    metrics::webhook(result.as_ref().err().map_or("stored", ApiError::as_str));
    result.map(|()| StatusCode::OK)
}

async fn take(
    ingest: &Ingest,
    app_key: String,
    trace: TraceContext,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(), ApiError> {
    let app = ingest
        .apps
        .find(&app_key)
        .await?
        .ok_or(ApiError::UnknownApp)?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        _ => ApiError::Unreadable,
    })?;
    let signature = headers
        .get("x-hub-signature-256")
        .ok_or(ApiError::BadSignature)?;
    if !is_signed(&app.secret, signature.as_bytes(), &body) {
        return Err(ApiError::BadSignature);
    }
    let platform = ingest.keys.platform().await?;
    failpoints::reach("ingest.received");
    let received_at = ingest.clock.now();
    let id = EventId::new_at(received_at);
    let event = NewEvent {
        id,
        work: WorkId::new_at(received_at),
        flow: flow_of(&app_key, id),
        app_key,
        headers: kept(headers),
        body: platform.seal_event_body(&body),
        received_at,
        traceparent: Some(trace.traceparent),
    };
    ingest.events.insert(event, ingest.patience).await?;
    Ok(())
}

/// All headers in their order, without those that carry credentials.
fn kept(headers: &HeaderMap) -> serde_json::Value {
    headers
        .iter()
        .filter(|(name, _)| {
            !["authorization", "cookie", "proxy-authorization"].contains(&name.as_str())
        })
        .map(|(name, value)| {
            serde_json::json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])
        })
        .collect()
}
