use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Refusal, done, found};
use crate::{conversation::Conversation, faults::Fault, inbound::Inbound, simulator::Simulator};

pub(super) async fn reset(State(simulator): State<Simulator>) -> Json<Value> {
    simulator.reset();
    done()
}

pub(super) async fn faults(State(simulator): State<Simulator>) -> Json<Value> {
    let faults = simulator.faults().list().into_iter();
    Json(
        json!({ "data": faults.map(|(id, fault)| json!({ "id": id, "fault": fault })).collect::<Vec<_>>() }),
    )
}

pub(super) async fn add_fault(
    State(simulator): State<Simulator>,
    Body(fault): Body<Fault>,
) -> Json<Value> {
    Json(json!({ "id": simulator.faults().add(fault) }))
}

pub(super) async fn clear_faults(State(simulator): State<Simulator>) -> Json<Value> {
    simulator.faults().clear();
    done()
}

pub(super) async fn remove_fault(
    State(simulator): State<Simulator>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Refusal> {
    found(simulator.faults().remove(id), "no such fault")
}

#[derive(Deserialize)]
pub(super) struct LedgerQuery {
    opaque: Option<String>,
}

pub(super) async fn ledger(
    State(simulator): State<Simulator>,
    Query(query): Query<LedgerQuery>,
) -> Json<Value> {
    let ledger = simulator.ledger();
    if let Some(opaque) = query.opaque {
        return Json(json!({ "count": ledger.count(&opaque), "entries": ledger.find(&opaque) }));
    }
    let duplicates = ledger.duplicates().into_iter();
    Json(json!({
        "total": ledger.total(),
        "distinct": ledger.distinct(),
        "duplicates": duplicates.map(|(opaque, count)| json!({ "opaque": opaque, "count": count })).collect::<Vec<_>>(),
        "entries": ledger.entries(),
    }))
}

pub(super) async fn inbound(
    State(simulator): State<Simulator>,
    Body(inbound): Body<Inbound>,
) -> Result<Json<Value>, Refusal> {
    let id = simulator.inbound(inbound);
    let id = id.map_err(|error| Refusal(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    Ok(Json(json!({ "id": id })))
}

/// Everyone who was described or is in a conversation.
pub(super) async fn patients(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!({ "data": simulator.patients() }))
}

pub(super) async fn conversations(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!({ "version": simulator.engine().version(), "data": simulator.conversations() }))
}

pub(super) async fn conversation(
    State(simulator): State<Simulator>,
    Path((number, phone)): Path<(String, String)>,
) -> Result<Json<Conversation>, Refusal> {
    let conversation = simulator.conversation(&number, &phone);
    conversation
        .map(Json)
        .ok_or_else(|| Refusal::not_found("no such conversation"))
}

pub(super) async fn open_chat(
    State(simulator): State<Simulator>,
    Path((number, phone)): Path<(String, String)>,
) -> Json<Value> {
    Json(json!({ "read": simulator.open_chat(&number, &phone) }))
}

pub(super) async fn open_window(
    State(simulator): State<Simulator>,
    Path((number, phone)): Path<(String, String)>,
) -> Json<Value> {
    simulator.open_window(&number, &phone);
    done()
}

/// What the phone has received, for the browser to show.
pub(super) async fn media(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let world = simulator.engine().world();
    let (record, bytes) = world
        .media
        .received(&id)
        .ok_or_else(|| Refusal::not_found("no such file"))?;
    let mime_type = HeaderValue::from_str(&record.mime_type);
    let mime_type = mime_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (header::CONTENT_TYPE, mime_type),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("inline"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    Ok((headers, bytes).into_response())
}
