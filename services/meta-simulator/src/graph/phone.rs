use std::time::Duration;

use axum::{Json, extract::Request, response::IntoResponse};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{
    Answer, Call,
    account::{health, verified},
    call::json_body,
};
use crate::{
    errors::GraphError,
    json::Fields,
    seed::{MANAGEMENT, MESSAGING, NumberState},
    world::NumberRecord,
};

const DEFAULT_FIELDS: &str = "verified_name,code_verification_status,display_phone_number,quality_rating,\
                              platform_type,throughput,webhook_configuration";

/// Registrations allowed in 72 hours.
const REGISTRATIONS: usize = 10;
const REGISTRATION_PERIOD: Duration = Duration::from_hours(72);

pub(super) fn get(call: &Call, id: &str) -> Answer {
    let number = call.number(&call.engine.world(), id, MESSAGING)?;
    Ok(Json(node(call, &number)).into_response())
}

pub(super) fn list(call: &Call, waba_id: &str) -> Answer {
    let world = call.engine.world();
    call.business(&world, waba_id, MANAGEMENT)?;
    let numbers: Vec<_> = world
        .accounts
        .numbers_of(waba_id)
        .into_iter()
        .map(|number| node(call, number))
        .collect();
    Ok(Json(json!({ "data": numbers })).into_response())
}

fn node(call: &Call, number: &NumberRecord) -> Value {
    let mut node = Map::new();
    for field in call.fields(DEFAULT_FIELDS) {
        // `nested{fields}` asks for the whole here.
        let field = field.split('{').next().unwrap_or(field);
        if let Some(value) = field_of(number, field) {
            node.insert(field.to_owned(), value);
        }
    }
    node.insert("id".into(), json!(number.phone_number_id));
    Value::Object(node)
}

fn field_of(number: &NumberRecord, field: &str) -> Option<Value> {
    Some(match field {
        "verified_name" => json!(number.verified_name),
        "code_verification_status" => json!("VERIFIED"),
        "display_phone_number" => json!(number.display_phone_number),
        "quality_rating" => json!("GREEN"),
        "platform_type" => json!("CLOUD_API"),
        "throughput" => {
            json!({ "level": if number.throughput >= 1000 { "HIGH" } else { "STANDARD" } })
        }
        "status" => json!(status(number.state)),
        "name_status" => json!("APPROVED"),
        "account_mode" => json!("LIVE"),
        "is_official_business_account" => json!(false),
        "messaging_limit_tier" | "whatsapp_business_manager_messaging_limit" => {
            json!("TIER_UNLIMITED")
        }
        "webhook_configuration" => {
            let own = number.override_callback.as_ref();
            own.map_or_else(|| json!({}), |url| json!({ "phone_number": url }))
        }
        "health_status" => health("PHONE_NUMBER", &number.phone_number_id, number.state),
        _ => return None,
    })
}

fn status(state: NumberState) -> &'static str {
    match state {
        NumberState::Connected | NumberState::PaymentProblem | NumberState::Maintenance => {
            "CONNECTED"
        }
        NumberState::Unregistered => "DISCONNECTED",
        NumberState::Locked => "FLAGGED",
        NumberState::Restricted => "RESTRICTED",
    }
}

/// Changes the PIN or where the number's webhooks go.
pub(super) async fn set(call: &Call, id: &str, request: Request) -> Answer {
    let body = json_body(request).await?;
    call.number(&call.engine.world(), id, MANAGEMENT)?;
    if let Some(pin) = body.get("pin") {
        let pin = checked_pin(pin)?;
        change(call, id, |number| number.pin = Some(pin));
    }
    if let Some(configuration) = body.get("webhook_configuration") {
        let callback = verified(call, configuration).await?;
        change(call, id, |number| number.override_callback = callback);
    }
    Ok(Json(json!({ "success": true })).into_response())
}

fn change(call: &Call, id: &str, change: impl FnOnce(&mut NumberRecord)) {
    call.engine.world().accounts.number_mut(id).map(change);
}

fn checked_pin(pin: &Value) -> Result<SecretString, GraphError> {
    let pin = pin
        .as_str()
        .filter(|pin| pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()));
    pin.map(SecretString::from)
        .ok_or_else(|| GraphError::invalid("Param pin must be 6 digits."))
}

pub(super) async fn register(call: &Call, id: &str, request: Request) -> Answer {
    let body = json_body(request).await?;
    let now = call.engine.now();
    let mut world = call.engine.world();
    call.number(&world, id, MANAGEMENT)?;
    if body.at("messaging_product") != "whatsapp" {
        return Err(GraphError::required("messaging_product"));
    }
    let pin = checked_pin(body.get("pin").ok_or_else(|| GraphError::required("pin"))?)?;
    let number = world
        .accounts
        .number_mut(id)
        .ok_or_else(|| call.unknown(id))?;
    number
        .registrations
        .retain(|at| now < *at + REGISTRATION_PERIOD);
    if number.registrations.len() >= REGISTRATIONS {
        return Err(GraphError::new(133_016));
    }
    number.registrations.push(now);
    if number
        .pin
        .as_ref()
        .is_some_and(|known| known.expose_secret() != pin.expose_secret())
    {
        return Err(GraphError::new(133_005));
    }
    number.pin = Some(pin);
    if number.state == NumberState::Unregistered {
        number.state = NumberState::Connected;
    }
    Ok(Json(json!({ "success": true })).into_response())
}

pub(super) fn deregister(call: &Call, id: &str) -> Answer {
    call.number(&call.engine.world(), id, MANAGEMENT)?;
    change(call, id, |number| number.state = NumberState::Unregistered);
    Ok(Json(json!({ "success": true })).into_response())
}

/// What was reported of one message, for those whose webhooks were lost.
pub(super) fn message_history(call: &Call, id: &str) -> Answer {
    let world = call.engine.world();
    call.number(&world, id, MESSAGING)?;
    let message_id = call
        .query
        .get("message_id")
        .ok_or_else(|| GraphError::required("message_id"))?;
    let found = world
        .chats
        .find(message_id)
        .filter(|(key, _)| key.phone_number_id == id);
    let data = found.map(|(_, message)| {
        let events: Vec<_> = message
            .events
            .iter()
            .map(|event| {
                json!({
                    "delivery_status": event.status.word().to_uppercase(),
                    "timestamp": event.at.timestamp(),
                    "error_description": event.error_code.map(|code| code.to_string()),
                })
            })
            .collect();
        json!({ "id": message.id, "message_id": message.id, "events": { "data": events } })
    });
    Ok(Json(json!({ "data": data.into_iter().collect::<Vec<_>>() })).into_response())
}
