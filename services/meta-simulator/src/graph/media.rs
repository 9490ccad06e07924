use axum::{
    Json,
    extract::{FromRequest, Multipart, Request, multipart::Field},
    http::{HeaderValue, StatusCode, header},
    response::IntoResponse,
};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{Answer, Call};
use crate::{
    engine::Engine,
    errors::GraphError,
    seed::MESSAGING,
    validate::{LARGEST_UPLOAD, check_upload},
    world::{MediaRecord, NewMedia, Origin, World},
};

const URL_LIFETIME_SECONDS: i64 = 5 * 60;

#[derive(Default)]
struct Form {
    product: Option<String>,
    declared_type: Option<String>,
    file: Option<(Option<String>, Bytes)>,
}

pub(super) async fn upload(call: &Call, id: &str, request: Request) -> Answer {
    call.number(&call.engine.world(), id, MESSAGING)?;
    let form = read(request).await?;
    if form.product.as_deref() != Some("whatsapp") {
        return Err(GraphError::required("messaging_product"));
    }
    let (part_type, bytes) = form.file.ok_or_else(|| GraphError::required("file"))?;
    let mime_type = part_type
        .filter(|mime_type| mime_type != "application/octet-stream")
        .or(form.declared_type)
        .ok_or_else(|| GraphError::required("type"))?;
    check_upload(&mime_type, &bytes)?;
    let now = call.engine.now();
    let mut world = call.engine.world();
    let media_id = world.next_id();
    let file = NewMedia {
        id: media_id,
        phone_number_id: id,
        mime_type: &mime_type,
        bytes,
        origin: Origin::Upload,
    };
    let record = world.media.insert(file, now);
    Ok(Json(json!({ "id": record.id })).into_response())
}

async fn read(request: Request) -> Result<Form, GraphError> {
    let malformed = || GraphError::invalid("The body is not a valid multipart form.");
    let mut multipart = Multipart::from_request(request, &())
        .await
        .map_err(|_| malformed())?;
    let mut form = Form::default();
    while let Some(field) = multipart.next_field().await.map_err(|_| malformed())? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "messaging_product" => {
                form.product = Some(field.text().await.map_err(|_| malformed())?);
            }
            "type" => form.declared_type = Some(field.text().await.map_err(|_| malformed())?),
            "file" => {
                let part_type = field.content_type().map(String::from);
                form.file = Some((part_type, limited(field).await?));
            }
            _ => {}
        }
    }
    Ok(form)
}

async fn limited(mut field: Field<'_>) -> Result<Bytes, GraphError> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = field.chunk().await {
        if bytes.len() + chunk.len() > LARGEST_UPLOAD {
            return Err(GraphError::new(131_053).details("File size is above the limit of 100 MB."));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// The file of the path, if the token reaches the number it was uploaded for.
fn find(call: &Call, world: &World, id: &str) -> Result<MediaRecord, GraphError> {
    let access = call.access(world)?;
    let record = world.media.find(id, call.engine.now());
    let number = record.and_then(|record| world.accounts.number(&record.phone_number_id));
    let reached = number.is_some_and(|number| access.reaches(&number.waba_id));
    let asked = call.query.get("phone_number_id");
    record
        .filter(|record| reached && asked.is_none_or(|asked| *asked == record.phone_number_id))
        .cloned()
        .ok_or_else(|| call.unknown(id))
}

pub(super) fn get(call: &Call, id: &str) -> Answer {
    let record = find(call, &call.engine.world(), id)?;
    Ok(Json(json!({
        "messaging_product": "whatsapp",
        "url": download_url(&call.engine, &record.id),
        "mime_type": record.mime_type,
        "sha256": record.sha256,
        "file_size": record.size_bytes,
        "id": record.id,
    }))
    .into_response())
}

/// Where a file can be fetched for the next five minutes.
pub(crate) fn download_url(engine: &Engine, id: &str) -> String {
    let base_url = &engine.base_url;
    let expires = engine.now().timestamp() + URL_LIFETIME_SECONDS;
    let hash = seal(base_url, id, expires);
    format!("{base_url}/whatsapp_business/attachments/?mid={id}&ext={expires}&hash={hash}")
}

/// What makes a URL one that the simulator gave out.
fn seal(key: &str, id: &str, expires: i64) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("an HMAC key may have any length");
    mac.update(format!("{id}|{expires}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

pub(super) fn download(call: &Call) -> Answer {
    let id = call
        .query
        .get("mid")
        .map(String::as_str)
        .unwrap_or_default();
    let expires: i64 = call
        .query
        .get("ext")
        .and_then(|expires| expires.parse().ok())
        .unwrap_or_default();
    let hash = call
        .query
        .get("hash")
        .map(String::as_str)
        .unwrap_or_default();
    let world = call.engine.world();
    call.access(&world)?;
    let genuine: bool = seal(&call.engine.base_url, id, expires)
        .as_bytes()
        .ct_eq(hash.as_bytes())
        .into();
    if !genuine || expires <= call.engine.now().timestamp() {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let record = find(call, &world, id)?;
    let bytes = world.media.bytes(&record).ok_or_else(|| call.unknown(id))?;
    let mime_type = HeaderValue::from_str(&record.mime_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    Ok(([(header::CONTENT_TYPE, mime_type)], bytes).into_response())
}

pub(super) fn delete(call: &Call, id: &str) -> Answer {
    let mut world = call.engine.world();
    find(call, &world, id)?;
    world.media.delete(id, call.engine.now());
    Ok(Json(json!({ "success": true })).into_response())
}
