//! Vendors, the tenants they own, and the wrapped data keys of both the tenants and the platform.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{Language, Region, TenantId, UnconfirmedPolicy, VendorId};
use uuid::Uuid;

use crate::{Connection, Result, error::parse};

/// One lab, clinic or hospital.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: TenantId,
    pub vendor_id: VendorId,
    pub name: String,
    pub contact_email: String,
    pub region: Region,
    pub language: Language,
    pub unconfirmed_policy: UnconfirmedPolicy,
    pub created_at: DateTime<Utc>,
}

pub async fn insert_vendor(
    connection: &mut Connection,
    id: VendorId,
    name: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO vendors (id, name, created_at) VALUES ($1, $2, $3)",
        id.as_uuid(),
        name,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn insert_tenant(connection: &mut Connection, tenant: &Tenant) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO tenants (id, vendor_id, name, contact_email, region, language, unconfirmed_policy, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        "#,
        tenant.id.as_uuid(),
        tenant.vendor_id.as_uuid(),
        tenant.name,
        tenant.contact_email,
        tenant.region.to_string(),
        tenant.language.as_str(),
        tenant.unconfirmed_policy.as_str(),
        tenant.created_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn list_tenants(connection: &mut Connection, ids: &[TenantId]) -> Result<Vec<Tenant>> {
    let rows = sqlx::query!(
        r#"
        SELECT id, vendor_id, name, contact_email, region, language, unconfirmed_policy, created_at FROM tenants WHERE id = ANY ($1)
        "#,
        &ids.iter().map(TenantId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    let tenants = rows.into_iter().map(|row| {
        Ok(Tenant {
            id: TenantId::from_uuid(row.id),
            vendor_id: VendorId::from_uuid(row.vendor_id),
            name: row.name,
            contact_email: row.contact_email,
            region: parse("tenants.region", &row.region)?,
            language: parse("tenants.language", &row.language)?,
            unconfirmed_policy: parse("tenants.unconfirmed_policy", &row.unconfirmed_policy)?,
            created_at: row.created_at,
        })
    });
    tenants.collect()
}

/// Stores a wrapped data key. The nil owner is the platform; `false` if the owner has one already.
pub async fn insert_data_key(
    connection: &mut Connection,
    owner: Uuid,
    wrapped: &[u8],
    now: DateTime<Utc>,
) -> Result<bool> {
    let result = sqlx::query!(
        "INSERT INTO data_keys (owner_id, wrapped, created_at) VALUES ($1, $2, $3) ON CONFLICT ON CONSTRAINT data_keys_pkey DO NOTHING",
        owner,
        wrapped,
        now
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

pub async fn find_data_key(connection: &mut Connection, owner: Uuid) -> Result<Option<Vec<u8>>> {
    Ok(list_data_keys(connection, &[owner]).await?.remove(&owner))
}

/// The wrapped data keys of these owners; those that have none are left out.
pub async fn list_data_keys(
    connection: &mut Connection,
    owners: &[Uuid],
) -> Result<HashMap<Uuid, Vec<u8>>> {
    let rows = sqlx::query!(
        "SELECT owner_id, wrapped FROM data_keys WHERE owner_id = ANY ($1)",
        owners
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.owner_id, row.wrapped))
        .collect())
}
