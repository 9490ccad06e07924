use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{sync::oneshot, time::sleep};

use super::{
    Answer, Call,
    accept::{Accepted, Mode, accept},
    call::{body, parse},
    cut,
    link::{Fetched, fetch},
    ordered, spoiled,
};
use crate::{
    delivery::{Delivery, Failure},
    engine::Engine,
    errors::GraphError,
    faults::{self, Effect, Endpoint},
    json::Fields,
    seed::MESSAGING,
    server::Cut,
    validate::fits_message,
    world::{NewMedia, Origin},
};

const LARGEST_MESSAGE: usize = 1024 * 1024;
/// How long an answer waits for the webhook that is to come first.
const STATUS_FIRST: Duration = Duration::from_secs(10);

/// From here on the caller may go away: once the body is complete, the message is dealt with.
pub(super) async fn post(call: Call, id: &str, marketing: bool, request: Request) -> Answer {
    let body = body(request, LARGEST_MESSAGE).await?;
    let engine = Arc::clone(&call.engine);
    let id = id.to_owned();
    let task = async move { handle(&call, &id, marketing, &body).await };
    engine
        .finish(task)
        .await
        .unwrap_or_else(|| Err(GraphError::new(1)))
}

async fn handle(call: &Call, id: &str, marketing: bool, body: &[u8]) -> Answer {
    call.number(&call.engine.world(), id, MESSAGING)?;
    let body = parse(body)?;
    let to = body.at("to").as_str().or(body.at("recipient").as_str());
    let seen = faults::Call {
        endpoint: Endpoint::Messages,
        phone_number_id: Some(id),
        to,
    };
    let effects = call.engine.faults.take(&seen);
    let mode = Mode {
        marketing,
        held: effects.contains(&Effect::HoldForQuality),
    };
    if let Some(answer) = before(&effects).await {
        return answer;
    }
    let (delivery, answer, link) = match accept(call, id, &body, mode)? {
        Accepted::Read => return Ok(Json(json!({ "success": true })).into_response()),
        Accepted::Message {
            delivery,
            answer,
            link,
        } => (delivery, answer, link),
    };
    let (taken, first_taken) = oneshot::channel();
    match link {
        None => delivery.begin(&call.engine, &effects, Some(taken)),
        Some(link) => {
            let engine = Arc::clone(&call.engine);
            let effects = effects.clone();
            call.engine.spawn(async move {
                with_link(&engine, *delivery, &link, &effects, taken).await;
            });
        }
    }
    after(&effects, first_taken, answer).await
}

/// Faults that come before the message is looked at.
async fn before(effects: &[Effect]) -> Option<Answer> {
    for effect in effects {
        match effect {
            Effect::Latency { ms } => sleep(Duration::from_millis(*ms)).await,
            Effect::RejectAfterBody => return Some(Ok(cut(Cut::Reset))),
            Effect::Error { code, details } => return Some(Err(ordered(*code, details.clone()))),
            Effect::AnswerPage {
                status,
                accepted: false,
            } => return Some(Ok(spoiled::page(*status))),
            _ => {}
        }
    }
    None
}

/// Faults that spoil the answer to an accepted message.
async fn after(effects: &[Effect], first_taken: oneshot::Receiver<()>, answer: Value) -> Answer {
    if effects.contains(&Effect::StatusBeforeAnswer) {
        // Both a timeout and a message without statuses mean that there is nothing to wait for.
        tokio::time::timeout(STATUS_FIRST, first_taken).await.ok();
    }
    for effect in effects {
        match effect {
            Effect::AnswerLate { ms } => sleep(Duration::from_millis(*ms)).await,
            Effect::AcceptThenDrop => return Ok(cut(Cut::Close)),
            Effect::AcceptThenError { code } => return Err(GraphError::new(*code)),
            Effect::AnswerHalf { ms } => {
                return Ok(spoiled::half(&answer, Duration::from_millis(*ms)));
            }
            Effect::AnswerGarbage => return Ok(spoiled::garbage(&answer)),
            Effect::AnswerPage {
                status,
                accepted: true,
            } => return Ok(spoiled::page(*status)),
            _ => {}
        }
    }
    Ok::<Response, _>((StatusCode::OK, Json(answer)).into_response())
}

/// Fetches the file of a message that is a link; only then does it go on its way, or fail.
async fn with_link(
    engine: &Arc<Engine>,
    mut delivery: Delivery,
    link: &str,
    effects: &[Effect],
    taken: oneshot::Sender<()>,
) {
    if delivery.failure.is_none() {
        let stored = match fetch(&engine.http, link).await {
            Ok(file) => store(engine, &delivery, file),
            Err(details) => Err(details),
        };
        delivery.failure = stored.err().map(|details| Failure {
            code: 131_053,
            details: Some(details),
        });
    }
    delivery.begin(engine, effects, Some(taken));
}

fn store(engine: &Engine, delivery: &Delivery, file: Fetched) -> Result<(), String> {
    let now = engine.now();
    let mut world = engine.world();
    let id = world.next_id();
    let record = world.media.insert(
        NewMedia {
            id,
            phone_number_id: &delivery.number.phone_number_id,
            mime_type: &file.mime_type,
            bytes: file.bytes,
            origin: Origin::Link,
        },
        now,
    );
    let mut fits = Ok(());
    world.chats.update(&delivery.wamid, |message| {
        let Some(attachment) = &mut message.attachment else {
            return;
        };
        fits = fits_message(&attachment.kind, &record.mime_type, record.size_bytes);
        attachment.media_id = Some(record.id);
        attachment.mime_type = Some(record.mime_type);
        attachment.size_bytes = Some(record.size_bytes);
        attachment.sha256 = Some(record.sha256);
    });
    fits.map_err(|unfit| unfit.0)
}
