//! The Graph API: any `/v{N}.{M}/` prefix or none, one match over method and path.
//! Knows nothing of the control API and of the phone page.

mod accept;
mod account;
mod call;
mod checks;
mod link;
mod media;
mod messages;
mod phone;
mod spoiled;
mod templates;
mod uploads;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    engine::Engine,
    errors::{GraphError, trace_id},
    faults::{self, Effect, Endpoint},
    server::Cut,
};
pub(crate) use call::Call;
pub(crate) use media::download_url;

/// The newest version, which a path without one gets.
const NEWEST: &str = "v26.0";

type Answer = Result<Response, GraphError>;

/// Everything that no route of the simulator's own takes.
pub(crate) async fn entry(State(engine): State<Arc<Engine>>, request: Request) -> Response {
    let call = Call::new(engine, &request);
    let version = call.version.clone();
    let waba_id = call.waba_of_path();
    let mut response = route(call, request)
        .await
        .unwrap_or_else(IntoResponse::into_response);
    stamp(response.headers_mut(), &version, waba_id.as_deref());
    response
}

async fn route(call: Call, request: Request) -> Answer {
    let path = call.path.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (&call.method.clone(), path.as_slice()) {
        (&Method::POST, [number, "messages"]) => messages::post(call, number, false, request).await,
        (&Method::POST, [number, "marketing_messages"]) => {
            messages::post(call, number, true, request).await
        }
        (&Method::GET, ["whatsapp_business", "attachments"]) => media::download(&call),
        (
            _,
            [
                _,
                "media" | "message_templates" | "phone_numbers" | "subscribed_apps",
            ],
        ) => {
            disturb(&call).await?;
            edge(&call, &path, request).await
        }
        _ => other(&call, &path, request).await,
    }
}

/// The edges of numbers and accounts that faults can be ordered for.
async fn edge(call: &Call, path: &[&str], request: Request) -> Answer {
    match (&call.method, path) {
        (&Method::POST, [number, "media"]) => media::upload(call, number, request).await,
        (&Method::GET, [waba, "message_templates"]) => templates::list(call, waba),
        (&Method::POST, [waba, "message_templates"]) => {
            templates::create(call, waba, request).await
        }
        (&Method::DELETE, [waba, "message_templates"]) => templates::delete(call, waba),
        (&Method::GET, [waba, "phone_numbers"]) => phone::list(call, waba),
        (&Method::POST, [waba, "subscribed_apps"]) => account::subscribe(call, waba, request).await,
        (&Method::GET, [waba, "subscribed_apps"]) => account::subscriptions(call, waba),
        (&Method::DELETE, [waba, "subscribed_apps"]) => account::unsubscribe(call, waba),
        _ => Err(call.unknown_path()),
    }
}

async fn other(call: &Call, path: &[&str], request: Request) -> Answer {
    match (&call.method, path) {
        (&Method::GET, ["debug_token"]) => account::debug_token(call),
        (&Method::GET | &Method::POST, ["oauth", "access_token"]) => account::app_token(call),
        (&Method::GET, [number, "message_history"]) => phone::message_history(call, number),
        (&Method::POST, [number, "register"]) => phone::register(call, number, request).await,
        (&Method::POST, [number, "deregister"]) => phone::deregister(call, number),
        (&Method::POST, [app, "subscriptions"]) => account::set_callback(call, app, request).await,
        (&Method::POST, [app, "uploads"]) => uploads::open(call, app),
        (&Method::POST, [session]) if session.starts_with("upload:") => {
            uploads::write(call, session, request).await
        }
        (&Method::GET, [session]) if session.starts_with("upload:") => uploads::read(call, session),
        (&Method::POST, [template, "unpause"]) => templates::unpause(call, template),
        (_, [id]) => node(call, id, request).await,
        _ => Err(call.unknown_path()),
    }
}

/// An id alone may be a number, an account, a template or a file.
async fn node(call: &Call, id: &str, request: Request) -> Answer {
    let (is_number, is_account, is_template) = {
        let world = call.engine.world();
        (
            world.accounts.number(id).is_some(),
            world.accounts.business(id).is_some(),
            world.templates.get(id).is_some(),
        )
    };
    match call.method {
        Method::GET if is_number => phone::get(call, id),
        Method::POST if is_number => phone::set(call, id, request).await,
        Method::GET if is_account => account::get(call, id),
        Method::GET if is_template => templates::get(call, id),
        Method::POST if is_template => templates::edit(call, id, request).await,
        Method::GET => media::get(call, id),
        Method::DELETE => media::delete(call, id),
        _ => Err(call.unknown(id)),
    }
}

/// Faults ordered for media and management calls.
async fn disturb(call: &Call) -> Result<(), GraphError> {
    let number = call.path.first().map(String::as_str);
    let media = call.path.get(1).is_some_and(|edge| edge == "media");
    let endpoint = if media {
        Endpoint::Media
    } else {
        Endpoint::Management
    };
    let seen = faults::Call {
        endpoint,
        phone_number_id: number.filter(|_| media),
        to: None,
    };
    for effect in call.engine.faults.take(&seen) {
        match effect {
            Effect::Latency { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            Effect::Error { code, details } => return Err(ordered(code, details)),
            _ => {}
        }
    }
    Ok(())
}

fn ordered(code: u32, details: Option<String>) -> GraphError {
    let error = GraphError::new(code);
    match details {
        Some(details) => error.details(details),
        None => error,
    }
}

/// An answer that never leaves: the server closes the connection instead.
fn cut(cut: Cut) -> Response {
    let mut response = Response::default();
    response.extensions_mut().insert(cut);
    response
}

fn stamp(headers: &mut HeaderMap, version: &str, waba_id: Option<&str>) {
    let usage = json!({ "call_count": 0, "total_cputime": 0, "total_time": 0 }).to_string();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("facebook-api-version", version);
    set("x-fb-trace-id", &trace_id());
    set("x-fb-request-id", &trace_id());
    set("x-app-usage", &usage);
    if let Some(waba_id) = waba_id {
        let usage = ["whatsapp_business_management", "whatsapp"].map(|kind| {
            json!({ "type": kind, "call_count": 1, "total_cputime": 1, "total_time": 1,
                    "estimated_time_to_regain_access": 0 })
        });
        set(
            "x-business-use-case-usage",
            &json!({ waba_id: usage }).to_string(),
        );
    }
}
