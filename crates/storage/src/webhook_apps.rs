//! The providers' apps whose webhooks we take, and their sealed secrets.

use chrono::{DateTime, Utc};
use domain::TenantId;

use crate::{Connection, Result};

/// An app, named in the webhook's path.
#[derive(Debug, Clone)]
pub struct WebhookApp {
    pub key: String,
    pub app_secret: Vec<u8>,
    pub verify_token: Vec<u8>,
    /// Whose numbers it may speak of; none is the platform's app, which may speak of all.
    pub tenant_id: Option<TenantId>,
}

/// Stores an app or replaces its secrets: for the operator, as the owner of the database.
pub async fn upsert_app(
    connection: &mut Connection,
    app: &WebhookApp,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO webhook_apps (key, app_secret, verify_token, tenant_id, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT ON CONSTRAINT webhook_apps_pkey DO UPDATE
            SET app_secret = excluded.app_secret, verify_token = excluded.verify_token, tenant_id = excluded.tenant_id
        "#,
        app.key,
        app.app_secret,
        app.verify_token,
        app.tenant_id.map(|id| id.as_uuid()),
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn find_app(connection: &mut Connection, key: &str) -> Result<Option<WebhookApp>> {
    let row = sqlx::query!(
        "SELECT key, app_secret, verify_token, tenant_id FROM webhook_apps WHERE key = $1",
        key
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| WebhookApp {
        key: row.key,
        app_secret: row.app_secret,
        verify_token: row.verify_token,
        tenant_id: row.tenant_id.map(TenantId::from_uuid),
    }))
}
