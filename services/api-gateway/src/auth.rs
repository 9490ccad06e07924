use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use domain::{ApiKeyId, Decider, TenantId, VendorId};
use http::StatusCode;
use secrecy::ExposeSecret as _;
use storage::api_keys::ApiKeyRecord;
use vault::{ApiKey, ApiKeyHash};
use web::{BearerToken, Problem};

use crate::{error::ApiError, gateway::Gateway};

/// What an unknown key is compared with, so that it takes as long as a known one.
const NOBODY: ApiKeyHash = ApiKeyHash::from_bytes([0; 32]);

/// The request speaks for a lab.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LabKey {
    pub(crate) lab: TenantId,
    id: ApiKeyId,
}

impl LabKey {
    /// Who decides what is decided with this key.
    pub(crate) fn decider(self) -> Decider {
        Decider::Key(self.id)
    }

    /// A lab asks about itself only; that another one exists is not told.
    pub(crate) fn must_be(self, lab: TenantId) -> Result<(), Problem> {
        if self.lab == lab {
            Ok(())
        } else {
            Err(Problem::not_found())
        }
    }
}

/// The request speaks for a vendor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VendorKey {
    pub(crate) vendor: VendorId,
}

impl FromRequestParts<Arc<Gateway>> for LabKey {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Arc<Gateway>,
    ) -> Result<Self, ApiError> {
        let (id, record) = authenticate(parts, gateway).await?;
        match record.tenant_id {
            Some(lab) => Ok(Self { lab, id }),
            None => Err(forbidden("this is a vendor's API key; a lab's is needed here").into()),
        }
    }
}

impl FromRequestParts<Arc<Gateway>> for VendorKey {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Arc<Gateway>,
    ) -> Result<Self, ApiError> {
        let (_, record) = authenticate(parts, gateway).await?;
        match record.tenant_id {
            None => Ok(Self {
                vendor: record.vendor_id,
            }),
            Some(_) => Err(forbidden("this is a lab's API key; a vendor's is needed here").into()),
        }
    }
}

async fn authenticate(
    parts: &mut Parts,
    gateway: &Gateway,
) -> Result<(ApiKeyId, ApiKeyRecord), ApiError> {
    let BearerToken(token) = BearerToken::from_request_parts(parts, gateway).await?;
    let presented = ApiKey::parse(token.expose_secret()).map_err(|_| Problem::unauthorized())?;
    let id = ApiKeyId::from_uuid(presented.id);
    let record = gateway.recent_keys.find(&id).await?;
    let stored = record.as_ref().and_then(hash).unwrap_or(NOBODY);
    let matches = presented.matches(&stored);
    match record {
        Some(record) if matches && !record.revoked => Ok((id, record)),
        _ => Err(Problem::unauthorized().into()),
    }
}

fn hash(record: &ApiKeyRecord) -> Option<ApiKeyHash> {
    let bytes = record.hash.as_slice().try_into().ok()?;
    Some(ApiKeyHash::from_bytes(bytes))
}

fn forbidden(detail: &'static str) -> Problem {
    Problem::blank(StatusCode::FORBIDDEN, "FORBIDDEN").detail(detail)
}
