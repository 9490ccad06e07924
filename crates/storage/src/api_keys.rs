//! API keys: only their hashes are here.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{ApiKeyId, TenantId, VendorId};

use crate::{Connection, Result};

/// A key to store; without a tenant it speaks for the vendor.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    pub id: ApiKeyId,
    pub vendor_id: VendorId,
    pub tenant_id: Option<TenantId>,
    pub hash: [u8; 32],
    pub name: String,
}

/// What is known of a presented key id.
#[derive(Debug, Clone)]
pub struct ApiKeyRecord {
    pub vendor_id: VendorId,
    pub tenant_id: Option<TenantId>,
    pub hash: Vec<u8>,
    pub revoked: bool,
}

pub async fn insert_api_key(
    connection: &mut Connection,
    key: &NewApiKey,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO api_keys (id, vendor_id, tenant_id, hash, name, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        key.id.as_uuid(),
        key.vendor_id.as_uuid(),
        key.tenant_id.map(|id| id.as_uuid()),
        &key.hash,
        key.name,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Looks keys up before any tenant is known; unknown ids are left out.
pub async fn list_api_keys(
    connection: &mut Connection,
    ids: &[ApiKeyId],
) -> Result<HashMap<ApiKeyId, ApiKeyRecord>> {
    let rows = sqlx::query!(
        r#"
        SELECT id AS "id!", vendor_id AS "vendor_id!", tenant_id, hash AS "hash!", revoked_at FROM find_api_keys($1)
        "#,
        &ids.iter().map(ApiKeyId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    let keys = rows.into_iter().map(|row| {
        let record = ApiKeyRecord {
            vendor_id: VendorId::from_uuid(row.vendor_id),
            tenant_id: row.tenant_id.map(TenantId::from_uuid),
            hash: row.hash,
            revoked: row.revoked_at.is_some(),
        };
        (ApiKeyId::from_uuid(row.id), record)
    });
    Ok(keys.collect())
}

/// Revokes a key of the tenant; `false` if there is no such key or it was revoked before.
pub async fn revoke_api_key(
    connection: &mut Connection,
    id: ApiKeyId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let result = sqlx::query!(
        "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        id.as_uuid(),
        now
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}
