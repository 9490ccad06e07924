//! The tenants' approved templates, as far as sending needs them.

use chrono::{DateTime, Utc};
use domain::{TemplateId, TenantId};

use crate::{Connection, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub id: TemplateId,
    pub tenant_id: TenantId,
    pub name: String,
    /// The provider's language code, such as `en_US`.
    pub language: String,
    /// Names of the body's parameters, in order.
    pub parameters: Vec<String>,
    /// `document`, `image` or `none`.
    pub header: String,
}

/// Stores a template or replaces the one of the same name and language.
pub async fn upsert_template(
    connection: &mut Connection,
    template: &Template,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO templates (id, tenant_id, name, language, parameters, header, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT ON CONSTRAINT templates_name_key DO UPDATE SET parameters = excluded.parameters, header = excluded.header
        "#,
        template.id.as_uuid(),
        template.tenant_id.as_uuid(),
        template.name,
        template.language,
        &template.parameters,
        template.header,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn list_templates(
    connection: &mut Connection,
    tenants: &[TenantId],
) -> Result<Vec<Template>> {
    let rows = sqlx::query!(
        "SELECT id, tenant_id, name, language, parameters, header FROM templates WHERE tenant_id = ANY ($1) ORDER BY id",
        &tenants.iter().map(TenantId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Template {
            id: TemplateId::from_uuid(row.id),
            tenant_id: TenantId::from_uuid(row.tenant_id),
            name: row.name,
            language: row.language,
            parameters: row.parameters,
            header: row.header,
        })
        .collect())
}

/// The templates of this name and language among the tenants that send from this WhatsApp Business Account.
pub async fn list_templates_of_waba(
    connection: &mut Connection,
    waba_id: &str,
    name: &str,
    language: &str,
) -> Result<Vec<TemplateId>> {
    let rows = sqlx::query_scalar!(
        r#"
        SELECT DISTINCT t.id FROM templates AS t JOIN sender_numbers AS n ON n.tenant_id = t.tenant_id
        WHERE n.waba_id = $1 AND t.name = $2 AND t.language = $3
        "#,
        waba_id,
        name,
        language
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(TemplateId::from_uuid).collect())
}
