use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use convergence::{Fate, Resolution};
use domain::{MessageId, MessageState, Wamid};
use http::StatusCode;
use serde::Deserialize;
use web::{Problem, ValidJson, ValidPath};

use super::message_status::{MessageStatus, find_status};
use crate::{
    auth::LabKey,
    error::{ApiError, invalid},
    gateway::Gateway,
};

/// In a moment whoever has the send in hand says what came of it.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What somebody knows about a message. A note may come with it and is not kept: it could name a patient.
#[derive(Deserialize)]
pub(super) struct Body {
    r#as: As,
    wamid: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum As {
    Sent,
    NotSent,
}

/// Ends the doubt about a message.
pub(super) async fn resolve(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath(id): ValidPath<MessageId>,
    ValidJson(body): ValidJson<Body>,
) -> Result<Json<MessageStatus>, ApiError> {
    let fate = fate(body)?;
    let now = gateway.now();
    let mut tx = gateway.database.begin_for(&[key.lab]).await?;
    let resolution = convergence::resolve(&mut tx, id, fate, key.decider(), now)
        .await
        .map_err(|error| match error.constraint() {
            Some("message_state_wamid_key") => wamid_taken().into(),
            _ => ApiError::Storage(error),
        })?;
    match resolution {
        Resolution::Resolved => {}
        Resolution::Unknown => return Err(Problem::not_found().into()),
        Resolution::NotInDoubt(state) => return Err(not_in_doubt(state).into()),
        Resolution::InHand => return Err(in_hand().into()),
    }
    let status = find_status(&mut tx, id, now).await?;
    tx.commit().await.map_err(storage::Error::from)?;
    tracing::info!(message.id = %id, "resolved {id}");
    Ok(Json(status))
}

fn fate(body: Body) -> Result<Fate, Problem> {
    match (body.r#as, body.wamid) {
        (As::Sent, wamid) => {
            let wamid = wamid.map(|text| text.parse::<Wamid>()).transpose();
            let wamid = wamid.map_err(|error| invalid("/wamid", error.to_string()))?;
            Ok(Fate::Sent { wamid })
        }
        (As::NotSent, None) => Ok(Fate::NotSent),
        (As::NotSent, Some(_)) => Err(invalid(
            "/wamid",
            "what was not sent has no id of the provider's",
        )),
    }
}

fn not_in_doubt(state: MessageState) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "MESSAGE_NOT_UNCONFIRMED",
        "Only an unconfirmed message can be resolved",
    )
    .detail(format!("the message is {state}"))
}

fn in_hand() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "MESSAGE_IN_HAND",
        "A sender has this message in hand",
    )
    .detail("the message is unconfirmed, and what becomes of it is being found out right now: look again in a moment")
    .retry_after(RETRY_AFTER)
}

fn wamid_taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "WAMID_TAKEN",
        "This is the provider's id of another message",
    )
    .pointer("/wamid")
}
