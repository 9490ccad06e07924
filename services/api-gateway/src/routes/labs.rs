use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{ApiKeyId, CallbackEndpointId, CredentialId, SenderNumberId, TemplateId, TenantId};
use http::StatusCode;
use sealed_records::TenantRecords;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use storage::{
    Connection,
    api_keys::{NewApiKey, insert_api_key},
    callbacks::{Endpoint, set_endpoint},
    credentials::{NewCredential, upsert_credential},
    sender_numbers::{SenderNumber, insert_sender_number},
    templates::{Template, upsert_template},
    tenants::{Tenant, insert_tenant},
};
use vault::ApiKey;
use web::{Problem, ValidJson};

use super::credentials::last_four;
use crate::{
    auth::VendorKey,
    error::ApiError,
    gateway::Gateway,
    registration::{NewTemplate, Registration, Request, Sender},
};

#[derive(Serialize)]
pub(super) struct Registered {
    lab_id: TenantId,
    /// Shown this once.
    api_key: String,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_secret: Option<String>,
}

/// Makes a lab with everything that it sends with, or nothing at all.
pub(super) async fn register(
    State(gateway): State<Arc<Gateway>>,
    key: VendorKey,
    ValidJson(request): ValidJson<Request>,
) -> Result<(StatusCode, Json<Registered>), ApiError> {
    let registration = Registration::check(request, gateway.allow_loopback)?;
    let now = gateway.now();
    let tenant = registration.tenant(TenantId::new_at(now), key.vendor, now);
    let mut tx = gateway.database.begin_for(&[tenant.id]).await?;
    insert_tenant(&mut tx, &tenant).await?;
    let records = gateway.keys.create_tenant(&mut tx, tenant.id, now).await?;
    let mut new = NewLab {
        connection: &mut tx,
        tenant: &tenant,
        records: &records,
        now,
    };
    let api_key = new.insert_key().await?;
    if let Some(sender) = &registration.sender {
        new.insert_sender(sender, &registration.whatsapp_number)
            .await?;
    }
    new.insert_templates(registration.templates).await?;
    let secret = match registration.callback_url {
        Some(url) => Some(new.insert_endpoint(url).await?),
        None => None,
    };
    tx.commit().await.map_err(storage::Error::from)?;
    tracing::info!(lab = %tenant.id, vendor = %key.vendor, "registered {}", tenant.id);
    let registered = Registered {
        lab_id: tenant.id,
        api_key,
        callback_secret: secret.map(|secret| secret.expose_secret().to_owned()),
    };
    Ok((StatusCode::CREATED, Json(registered)))
}

/// The transaction in which a lab comes to be.
struct NewLab<'a> {
    connection: &'a mut Connection,
    tenant: &'a Tenant,
    records: &'a TenantRecords,
    now: DateTime<Utc>,
}

impl NewLab<'_> {
    async fn insert_key(&mut self) -> Result<String, ApiError> {
        let id = ApiKeyId::new_at(self.now);
        let (text, hash) = ApiKey::generate(id.as_uuid());
        let key = NewApiKey {
            id,
            vendor_id: self.tenant.vendor_id,
            tenant_id: Some(self.tenant.id),
            hash: *hash.as_bytes(),
            name: "registration".to_owned(),
        };
        insert_api_key(self.connection, &key, self.now).await?;
        Ok(text.expose().to_owned())
    }

    async fn insert_sender(
        &mut self,
        sender: &Sender,
        whatsapp_number: &str,
    ) -> Result<(), ApiError> {
        let number = SenderNumber {
            id: SenderNumberId::new_at(self.now),
            tenant_id: self.tenant.id,
            phone_number_id: sender.phone_number_id.clone(),
            waba_id: sender.waba_id.clone(),
            display_phone_number: whatsapp_number.to_owned(),
            rate_per_second: sender.rate_per_second,
            burst: sender.burst,
            app_key: None,
        };
        insert_sender_number(self.connection, &number, self.now)
            .await
            .map_err(|error| match error.constraint() {
                Some("sender_numbers_phone_number_id_key") => number_taken().into(),
                _ => ApiError::Storage(error),
            })?;
        let token = sender.access_token.expose_secret();
        let credential = NewCredential {
            id: CredentialId::new_at(self.now),
            tenant_id: self.tenant.id,
            sender_number_id: number.id,
            access_token: self.records.seal_access_token(token),
            last_four: last_four(&sender.access_token),
        };
        upsert_credential(self.connection, &credential, self.now).await?;
        Ok(())
    }

    async fn insert_templates(&mut self, templates: Vec<NewTemplate>) -> Result<(), ApiError> {
        for new in templates {
            let template = Template {
                id: TemplateId::new_at(self.now),
                tenant_id: self.tenant.id,
                name: new.name,
                language: new.language,
                parameters: new.parameters,
                header: new.header.as_str().to_owned(),
            };
            upsert_template(self.connection, &template, self.now).await?;
        }
        Ok(())
    }

    async fn insert_endpoint(&mut self, url: String) -> Result<SecretString, ApiError> {
        let secret = vault::random_secret();
        let endpoint = Endpoint {
            id: CallbackEndpointId::new_at(self.now),
            tenant_id: self.tenant.id,
            url,
            secret: self.records.seal_callback_secret(secret.expose_secret()),
        };
        set_endpoint(self.connection, &endpoint, self.now).await?;
        Ok(secret)
    }
}

fn number_taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "PHONE_NUMBER_TAKEN",
        "This phone_number_id belongs to a lab already",
    )
    .pointer("/sender/phone_number_id")
}
