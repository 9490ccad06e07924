use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Refusal, done, found};
use crate::{
    seed::{App, Business, Number, NumberState, Recipient, Template, Token},
    simulator::Simulator,
};

/// An app's callback is asked for the challenge before it is taken.
pub(super) async fn app(
    State(simulator): State<Simulator>,
    Body(app): Body<App>,
) -> Result<Json<Value>, Refusal> {
    let (app_id, callback) = (app.app_id.clone(), app.callback_url.clone());
    let verify_token = app.verify_token.clone().unwrap_or_default();
    simulator.add_app(App {
        callback_url: None,
        ..app
    });
    if let Some(callback) = callback {
        let verified = simulator
            .set_webhook(&app_id, &callback, verify_token)
            .await;
        verified.map_err(|error| Refusal(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    }
    Ok(done())
}

pub(super) async fn business(
    State(simulator): State<Simulator>,
    Body(business): Body<Business>,
) -> Json<Value> {
    simulator.add_business(business);
    done()
}

pub(super) async fn number(
    State(simulator): State<Simulator>,
    Body(number): Body<Number>,
) -> Json<Value> {
    simulator.add_number(number);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberChange {
    state: Option<NumberState>,
    throughput: Option<u32>,
}

pub(super) async fn change_number(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    Body(change): Body<NumberChange>,
) -> Result<Json<Value>, Refusal> {
    let stated = change
        .state
        .is_none_or(|state| simulator.set_number_state(&id, state));
    let limited = change
        .throughput
        .is_none_or(|throughput| simulator.set_throughput(&id, throughput));
    found(stated && limited, "no such number")
}

pub(super) async fn token(
    State(simulator): State<Simulator>,
    Body(token): Body<Token>,
) -> Json<Value> {
    simulator.add_token(token);
    done()
}

#[derive(Deserialize)]
pub(super) struct TokenName {
    token: SecretString,
}

pub(super) async fn expire_token(
    State(simulator): State<Simulator>,
    Body(name): Body<TokenName>,
) -> Result<Json<Value>, Refusal> {
    found(simulator.expire_token(&name.token), "no such token")
}

pub(super) async fn repair_token(
    State(simulator): State<Simulator>,
    Body(name): Body<TokenName>,
) -> Result<Json<Value>, Refusal> {
    found(simulator.repair_token(&name.token), "no such token")
}

pub(super) async fn template(
    State(simulator): State<Simulator>,
    Body(template): Body<Template>,
) -> Json<Value> {
    Json(json!({ "id": simulator.add_template(template) }))
}

#[derive(Deserialize)]
pub(super) struct TemplateStatus {
    status: String,
    reason: Option<String>,
}

pub(super) async fn template_status(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    Body(change): Body<TemplateStatus>,
) -> Result<Json<Value>, Refusal> {
    let changed = simulator.set_template_status(&id, &change.status, change.reason.as_deref());
    found(changed, "no such template")
}

pub(super) async fn recipient(
    State(simulator): State<Simulator>,
    Body(recipient): Body<Recipient>,
) -> Json<Value> {
    simulator.describe(recipient);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    waba_id: String,
    field: String,
    value: Value,
}

pub(super) async fn webhook(
    State(simulator): State<Simulator>,
    Body(webhook): Body<Webhook>,
) -> Json<Value> {
    simulator.emit(&webhook.waba_id, &webhook.field, webhook.value);
    done()
}
