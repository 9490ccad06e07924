use std::sync::Arc;

use axum::{Json, extract::State};
use domain::{CallbackEndpointId, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use storage::callbacks::{Endpoint, set_endpoint};
use web::{ValidJson, ValidPath};

use crate::{
    auth::LabKey,
    callback_url,
    error::{ApiError, invalid},
    gateway::Gateway,
};

#[derive(Deserialize)]
pub(super) struct Body {
    url: String,
}

#[derive(Serialize)]
pub(super) struct Replaced {
    /// Shown this once.
    callback_secret: String,
}

/// Sets where callbacks go and the secret that signs them.
pub(super) async fn replace(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    ValidPath(lab): ValidPath<TenantId>,
    ValidJson(body): ValidJson<Body>,
) -> Result<Json<Replaced>, ApiError> {
    key.must_be(lab)?;
    let url = callback_url::parse(&body.url, gateway.allow_loopback)
        .map_err(|detail| invalid("/url", detail))?;
    let secret: SecretString = vault::random_secret();
    let records = gateway.keys.tenant(lab).await?;
    let now = gateway.now();
    let endpoint = Endpoint {
        id: CallbackEndpointId::new_at(now),
        tenant_id: lab,
        url: url.into(),
        secret: records.seal_callback_secret(secret.expose_secret()),
    };
    let mut tx = gateway.database.begin_for(&[lab]).await?;
    set_endpoint(&mut tx, &endpoint, now).await?;
    tx.commit().await.map_err(storage::Error::from)?;
    tracing::info!(lab = %lab, "replaced the callback endpoint of {lab}");
    Ok(Json(Replaced {
        callback_secret: secret.expose_secret().to_owned(),
    }))
}
