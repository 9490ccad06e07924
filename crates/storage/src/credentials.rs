//! Provider tokens, sealed. The gateway writes them and cannot read them back: its role has no right to.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{CredentialId, SenderNumberId, TenantId};

use crate::{Connection, Result};

/// A token to store.
#[derive(Debug, Clone)]
pub struct NewCredential {
    pub id: CredentialId,
    pub tenant_id: TenantId,
    pub sender_number_id: SenderNumberId,
    pub access_token: Vec<u8>,
    pub last_four: String,
}

/// Stores or replaces the number's token.
pub async fn upsert_credential(
    connection: &mut Connection,
    credential: &NewCredential,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO credentials (id, tenant_id, sender_number_id, access_token, last_four, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT ON CONSTRAINT credentials_sender_number_key DO UPDATE
            -- Not `excluded`: naming its columns would need the right to read them.
            SET access_token = $4, last_four = $5, updated_at = $6
        "#,
        credential.id.as_uuid(),
        credential.tenant_id.as_uuid(),
        credential.sender_number_id.as_uuid(),
        credential.access_token,
        credential.last_four,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A sealed token, and since when it is the number's.
#[derive(Debug, Clone)]
pub struct Credential {
    pub access_token: Vec<u8>,
    pub updated_at: DateTime<Utc>,
}

/// The credentials of these numbers, as far as they have any: for workers.
pub async fn list_credentials(
    connection: &mut Connection,
    numbers: &[SenderNumberId],
) -> Result<HashMap<SenderNumberId, Credential>> {
    let rows = sqlx::query!(
        "SELECT sender_number_id, access_token, updated_at FROM credentials WHERE sender_number_id = ANY ($1)",
        &numbers.iter().map(SenderNumberId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    let credentials = rows.into_iter().map(|row| {
        let credential = Credential {
            access_token: row.access_token,
            updated_at: row.updated_at,
        };
        (SenderNumberId::from_uuid(row.sender_number_id), credential)
    });
    Ok(credentials.collect())
}

/// Whether no newer token was stored since: the one of `updated_at` is what the provider refused.
/// Requires `work::lock_scope` of the credential, or the answer may be old when it is used.
pub async fn is_current(
    connection: &mut Connection,
    number: SenderNumberId,
    updated_at: Option<DateTime<Utc>>,
) -> Result<bool> {
    let current = sqlx::query_scalar!(
        "SELECT updated_at FROM credentials WHERE sender_number_id = $1",
        number.as_uuid()
    )
    .fetch_optional(connection)
    .await?;
    Ok(current == updated_at)
}
