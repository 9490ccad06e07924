use axum::{Json, extract::Request, response::IntoResponse};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{Answer, Call, call::json_body};
use crate::{
    errors::{GraphError, trace_id},
    json::Fields,
    seed::{MANAGEMENT, NumberState},
    webhooks::handshake,
    world::{BadToken, Subscription},
};

/// Longer override URLs are refused.
const LONGEST_OVERRIDE: usize = 200;

/// The token that speaks for an app, for those who know its secret.
pub(super) fn app_token(call: &Call) -> Answer {
    let parameter = |name: &str| {
        call.query
            .get(name)
            .ok_or_else(|| GraphError::required(name))
    };
    let (app_id, secret) = (parameter("client_id")?, parameter("client_secret")?);
    if parameter("grant_type")? != "client_credentials" {
        return Err(GraphError::invalid(
            "Param grant_type must be client_credentials.",
        ));
    }
    let token = format!("{app_id}|{secret}");
    let known = call
        .engine
        .world()
        .accounts
        .access(&token, call.engine.now())
        .is_ok();
    if known {
        Ok(Json(json!({ "access_token": token, "token_type": "bearer" })).into_response())
    } else {
        Err(GraphError::new(101))
    }
}

pub(super) fn debug_token(call: &Call) -> Answer {
    let world = call.engine.world();
    call.access(&world)?;
    let input = call
        .query
        .get("input_token")
        .ok_or_else(|| GraphError::required("input_token"))?;
    let known = world.accounts.token(input);
    let data = match (known, world.accounts.access(input, call.engine.now())) {
        (Some(token), access) => {
            let targets = (!token.waba_ids.is_empty()).then_some(&token.waba_ids);
            let granular = token.scopes.iter().map(|scope| match targets {
                Some(targets) => json!({ "scope": scope, "target_ids": targets }),
                None => json!({ "scope": scope }),
            });
            let mut data = json!({
                "app_id": token.app_id,
                "type": "SYSTEM_USER",
                "is_valid": access.is_ok(),
                "expires_at": token.expires_at.map_or(0, |expires_at| expires_at.timestamp()),
                "data_access_expires_at": 0,
                "scopes": token.scopes,
                "granular_scopes": granular.collect::<Vec<_>>(),
                "user_id": format!("1{}", token.app_id),
            });
            if access.is_err() {
                data.set("error", invalid(BadToken::Expired));
            }
            data
        }
        (None, _) => {
            json!({ "is_valid": false, "scopes": [], "error": invalid(BadToken::Unknown) })
        }
    };
    Ok(Json(json!({ "data": data })).into_response())
}

fn invalid(bad: BadToken) -> Value {
    match bad {
        BadToken::Unknown => json!({ "code": 190, "message": "Invalid OAuth access token" }),
        BadToken::Expired => {
            json!({ "code": 190, "subcode": 463, "message": "Error validating access token: Session has expired" })
        }
    }
}

pub(super) fn get(call: &Call, waba_id: &str) -> Answer {
    let world = call.engine.world();
    call.business(&world, waba_id, MANAGEMENT)?;
    let record = world
        .accounts
        .business(waba_id)
        .ok_or_else(|| call.unknown(waba_id))?;
    let mut node = Map::new();
    for field in call.fields("id,name,timezone_id,message_template_namespace") {
        let value = match field {
            "name" => json!(record.business.name),
            "timezone_id" => json!("71"),
            "currency" => json!("INR"),
            "message_template_namespace" => json!(format!("ns_{waba_id}")),
            "account_review_status" => json!("APPROVED"),
            "health_status" => health("WABA", waba_id, NumberState::Connected),
            _ => continue,
        };
        node.insert(field.to_owned(), value);
    }
    node.insert("id".into(), json!(waba_id));
    Ok(Json(Value::Object(node)).into_response())
}

pub(super) fn health(entity_type: &str, id: &str, state: NumberState) -> Value {
    let mut entity =
        json!({ "entity_type": entity_type, "id": id, "can_send_message": "AVAILABLE" });
    let (code, description) = match state {
        NumberState::Connected => {
            return json!({ "can_send_message": "AVAILABLE", "entities": [entity] });
        }
        NumberState::PaymentProblem => (141_006, "There is an error with the payment method."),
        NumberState::Locked | NumberState::Restricted => (141_014, "The account is restricted."),
        NumberState::Unregistered => (141_000, "The phone number is not registered."),
        NumberState::Maintenance => (141_000, "The phone number is in maintenance."),
    };
    entity.set("can_send_message", "BLOCKED");
    entity.set(
        "errors",
        json!([{ "error_code": code, "error_description": description, "possible_solution": "" }]),
    );
    json!({ "can_send_message": "BLOCKED", "entities": [entity] })
}

/// The override in a body, after its URL has answered the challenge; none if it is to be removed.
pub(super) async fn verified(call: &Call, body: &Value) -> Result<Option<String>, GraphError> {
    let Some(url) = body
        .at("override_callback_uri")
        .as_str()
        .filter(|url| !url.is_empty())
    else {
        return Ok(None);
    };
    if url.len() > LONGEST_OVERRIDE {
        return Err(GraphError::invalid(
            "Param override_callback_uri must be at most 200 characters long.",
        ));
    }
    let token = body
        .at("verify_token")
        .as_str()
        .ok_or_else(|| GraphError::required("verify_token"))?;
    shake_hands(call, url, &token.into()).await?;
    Ok(Some(url.to_owned()))
}

async fn shake_hands(call: &Call, url: &str, token: &SecretString) -> Result<(), GraphError> {
    let handshake = handshake(&call.engine.http, url, token, &trace_id()).await;
    handshake.map_err(|error| {
        GraphError::new(2200).details(format!(
            "Callback verification failed with the following errors: {error}"
        ))
    })
}

/// Subscribes the token's app to the account's webhooks, or changes where they go.
pub(super) async fn subscribe(call: &Call, waba_id: &str, request: Request) -> Answer {
    let body = json_body(request).await?;
    let access = call.business(&call.engine.world(), waba_id, MANAGEMENT)?;
    let override_callback = verified(call, &body).await?;
    let mut world = call.engine.world();
    let record = world
        .accounts
        .business_mut(waba_id)
        .ok_or_else(|| call.unknown(waba_id))?;
    record
        .subscriptions
        .retain(|subscription| subscription.app_id != access.app_id);
    record.subscriptions.push(Subscription {
        app_id: access.app_id,
        override_callback,
    });
    Ok(Json(json!({ "success": true })).into_response())
}

pub(super) fn subscriptions(call: &Call, waba_id: &str) -> Answer {
    let world = call.engine.world();
    call.business(&world, waba_id, MANAGEMENT)?;
    let record = world
        .accounts
        .business(waba_id)
        .ok_or_else(|| call.unknown(waba_id))?;
    let apps = record.subscriptions.iter().map(|subscription| {
        let id = &subscription.app_id;
        let mut app = json!({
            "whatsapp_business_api_data": { "id": id, "name": format!("App {id}"), "link": "" },
        });
        if let Some(url) = &subscription.override_callback {
            app.set("override_callback_uri", json!(url));
        }
        app
    });
    Ok(Json(json!({ "data": apps.collect::<Vec<_>>() })).into_response())
}

pub(super) fn unsubscribe(call: &Call, waba_id: &str) -> Answer {
    let mut world = call.engine.world();
    let access = call.business(&world, waba_id, MANAGEMENT)?;
    let record = world
        .accounts
        .business_mut(waba_id)
        .ok_or_else(|| call.unknown(waba_id))?;
    record
        .subscriptions
        .retain(|subscription| subscription.app_id != access.app_id);
    Ok(Json(json!({ "success": true })).into_response())
}

/// Sets an app's own callback; the token must be the app's.
pub(super) async fn set_callback(call: &Call, app_id: &str, request: Request) -> Answer {
    let body = json_body(request).await?;
    let access = call.access(&call.engine.world())?;
    if access.app_id != app_id {
        return Err(call.unknown(app_id));
    }
    if body.at("object") != "whatsapp_business_account" {
        return Err(GraphError::invalid(
            "Param object must be whatsapp_business_account.",
        ));
    }
    let url = body
        .at("callback_url")
        .as_str()
        .ok_or_else(|| GraphError::required("callback_url"))?;
    let token = body
        .at("verify_token")
        .as_str()
        .ok_or_else(|| GraphError::required("verify_token"))?;
    let token = SecretString::from(token);
    shake_hands(call, url, &token).await?;
    call.engine
        .world()
        .accounts
        .set_callback(app_id, url.to_owned(), token);
    Ok(Json(json!({ "success": true })).into_response())
}
