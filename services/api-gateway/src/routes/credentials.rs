use std::sync::Arc;

use axum::extract::State;
use domain::{CredentialId, Scope, TenantId};
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use storage::{
    credentials::{NewCredential, upsert_credential},
    sender_numbers::find_sender_number_of,
    work::resume,
};
use web::{ValidJson, ValidPath};

use crate::{
    auth::LabKey,
    error::{ApiError, no_sender_number},
    gateway::Gateway,
    registration::check_token,
};

/// Of a shorter token the last four would tell too much.
const SHOWN_FROM: usize = 16;

#[derive(Deserialize)]
pub(super) struct Body {
    access_token: SecretString,
}

/// Replaces the number's access token; what waited for a good one goes on.
pub(super) async fn replace(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath(lab): ValidPath<TenantId>,
    ValidJson(body): ValidJson<Body>,
) -> Result<StatusCode, ApiError> {
    key.must_be(lab)?;
    check_token("/access_token", &body.access_token)?;
    let records = gateway.keys.tenant(lab).await?;
    let now = gateway.now();
    let mut tx = gateway.database.begin_for(&[lab]).await?;
    let number = find_sender_number_of(&mut tx, lab).await?;
    let number = number.ok_or_else(no_sender_number)?;
    let scope = Scope::credential(number.id);
    let credential = NewCredential {
        id: CredentialId::new_at(now),
        tenant_id: lab,
        sender_number_id: number.id,
        access_token: records.seal_access_token(body.access_token.expose_secret()),
        last_four: last_four(&body.access_token),
    };
    upsert_credential(&mut tx, &credential, now).await?;
    let resumed = resume(&mut tx, &scope, now).await?;
    tx.commit().await.map_err(storage::Error::from)?;
    tracing::info!(lab = %lab, resumed, "replaced the access token of {lab}");
    Ok(StatusCode::NO_CONTENT)
}

/// By which people tell tokens apart.
pub(super) fn last_four(token: &SecretString) -> String {
    let token = token.expose_secret();
    let tail = token
        .len()
        .checked_sub(4)
        .filter(|_| token.len() >= SHOWN_FROM);
    tail.and_then(|from| token.get(from..))
        .unwrap_or_default()
        .to_owned()
}
