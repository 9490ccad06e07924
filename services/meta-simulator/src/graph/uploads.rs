use axum::{Json, extract::Request, response::IntoResponse};
use serde_json::json;

use super::{Answer, Call, call::body};
use crate::{errors::GraphError, validate::LARGEST_UPLOAD, world::UploadSession};

const TYPES: &[&str] = &[
    "application/pdf",
    "image/jpeg",
    "image/jpg",
    "image/png",
    "video/mp4",
];

/// Opens a resumable upload, for the example file in a template's header.
pub(super) fn open(call: &Call, app_id: &str) -> Answer {
    let mut world = call.engine.world();
    let access = call.access(&world)?;
    if access.app_id != app_id {
        return Err(call.unknown(app_id));
    }
    let file_type = call
        .query
        .get("file_type")
        .ok_or_else(|| GraphError::required("file_type"))?;
    if !TYPES.contains(&file_type.as_str()) {
        return Err(GraphError::invalid(format!(
            "Param file_type must be one of {{{}}}.",
            TYPES.join(", ")
        )));
    }
    let length = call
        .query
        .get("file_length")
        .and_then(|length| length.parse().ok());
    let length = length.ok_or_else(|| GraphError::required("file_length"))?;
    let id = format!("upload:{}", world.next_id());
    world.uploads.insert(
        id.clone(),
        UploadSession {
            length,
            received: 0,
        },
    );
    Ok(Json(json!({ "id": id })).into_response())
}

/// Takes bytes from an offset on; the last of them brings the handle.
pub(super) async fn write(call: &Call, id: &str, request: Request) -> Answer {
    call.access(&call.engine.world())?;
    let offset = call
        .headers
        .get("file_offset")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let offset: usize = offset.unwrap_or_default();
    let bytes = body(request, LARGEST_UPLOAD).await?;
    let mut world = call.engine.world();
    let session = world.uploads.get_mut(id).ok_or_else(|| call.unknown(id))?;
    if offset != session.received || offset + bytes.len() > session.length {
        return Err(GraphError::invalid(format!(
            "file_offset must be {}.",
            session.received
        )));
    }
    session.received += bytes.len();
    if session.received < session.length {
        return Ok(Json(json!({ "id": id, "file_offset": session.received })).into_response());
    }
    Ok(Json(json!({ "h": format!("4::{id}") })).into_response())
}

pub(super) fn read(call: &Call, id: &str) -> Answer {
    let world = call.engine.world();
    call.access(&world)?;
    let session = world.uploads.get(id).ok_or_else(|| call.unknown(id))?;
    Ok(Json(json!({ "id": id, "file_offset": session.received })).into_response())
}
