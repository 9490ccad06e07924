use std::{fmt, sync::Arc};

use chrono::NaiveDate;
use domain::{Language, PhoneNumber, ReportVariables, TenantId};
use secrecy::SecretString;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use vault::{BlindIndex, Context, DataKey};

use crate::{Error, Result, platform::text};

/// What a report says about its patient.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ReportContent {
    pub patient_name: Option<String>,
    pub test_name: Option<String>,
    pub doctor_name: Option<String>,
    pub report_date: Option<NaiveDate>,
    /// The text with its placeholders filled in.
    pub text: String,
    pub language: Language,
}

impl ReportContent {
    pub fn variables(&self, lab_name: &str) -> ReportVariables {
        ReportVariables {
            patient_name: self.patient_name.clone(),
            test_name: self.test_name.clone(),
            doctor_name: self.doctor_name.clone(),
            report_date: self.report_date,
            lab_name: Some(lab_name.to_owned()),
        }
    }
}

impl fmt::Debug for ReportContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportContent")
            .field("language", &self.language)
            .finish_non_exhaustive()
    }
}

/// What a patient wrote, and who the provider says it was.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct InboundContent {
    pub from: Option<String>,
    pub from_user_id: Option<String>,
    pub profile_name: Option<String>,
    pub text: Option<String>,
    /// The provider's message object, as received.
    pub raw: serde_json::Value,
}

impl fmt::Debug for InboundContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundContent").finish_non_exhaustive()
    }
}

/// Seals and opens one tenant's records. Each column is bound to its name and tenant: a value moved elsewhere does not open.
#[derive(Clone)]
pub struct TenantRecords {
    tenant: TenantId,
    key: Arc<DataKey>,
    index: Arc<dyn Fn(&str) -> BlindIndex + Send + Sync>,
}

impl TenantRecords {
    pub(crate) fn new(
        tenant: TenantId,
        key: Arc<DataKey>,
        index: impl Fn(&str) -> BlindIndex + Send + Sync + 'static,
    ) -> Self {
        Self {
            tenant,
            key,
            index: Arc::new(index),
        }
    }

    /// A keyed hash by which a contact is found again: of the phone number's digits or of a business-scoped user id.
    pub fn contact_hash(&self, contact: &str) -> Vec<u8> {
        (self.index)(contact.trim_start_matches('+')).to_vec()
    }

    pub fn seal_recipient(&self, phone: &PhoneNumber) -> Vec<u8> {
        self.key.seal(
            &self.column("messages.recipient"),
            phone.as_e164().as_bytes(),
        )
    }

    pub fn open_recipient(&self, sealed: &[u8]) -> Result<PhoneNumber> {
        let digits = self.key.open(&self.column("messages.recipient"), sealed)?;
        let digits = std::str::from_utf8(&digits).map_err(|_| Error::Unreadable)?;
        PhoneNumber::from_wa_id(digits).map_err(|_| Error::Unreadable)
    }

    pub fn seal_report(&self, content: &ReportContent) -> Result<Vec<u8>> {
        self.seal_json("messages.content", content)
    }

    pub fn open_report(&self, sealed: &[u8]) -> Result<ReportContent> {
        self.open_json("messages.content", sealed)
    }

    pub fn seal_inbound(&self, content: &InboundContent) -> Result<Vec<u8>> {
        self.seal_json("inbound_messages.content", content)
    }

    pub fn open_inbound(&self, sealed: &[u8]) -> Result<InboundContent> {
        self.open_json("inbound_messages.content", sealed)
    }

    pub fn seal_filename(&self, filename: &str) -> Vec<u8> {
        self.key
            .seal(&self.column("attachments.filename"), filename.as_bytes())
    }

    pub fn open_filename(&self, sealed: &[u8]) -> Result<String> {
        let filename = self
            .key
            .open(&self.column("attachments.filename"), sealed)?;
        String::from_utf8(filename.to_vec()).map_err(|_| Error::Unreadable)
    }

    pub fn seal_access_token(&self, token: &str) -> Vec<u8> {
        self.key
            .seal(&self.column("credentials.access_token"), token.as_bytes())
    }

    pub fn open_access_token(&self, sealed: &[u8]) -> Result<SecretString> {
        text(
            &self
                .key
                .open(&self.column("credentials.access_token"), sealed)?,
        )
    }

    pub fn seal_callback_secret(&self, secret: &str) -> Vec<u8> {
        self.key
            .seal(&self.column("callback_endpoints.secret"), secret.as_bytes())
    }

    pub fn open_callback_secret(&self, sealed: &[u8]) -> Result<SecretString> {
        text(
            &self
                .key
                .open(&self.column("callback_endpoints.secret"), sealed)?,
        )
    }

    /// The key under which the tenant's report files are kept.
    pub fn file_key(&self) -> &DataKey {
        &self.key
    }

    fn seal_json<T: Serialize>(&self, column: &'static str, value: &T) -> Result<Vec<u8>> {
        let plain =
            zeroize::Zeroizing::new(serde_json::to_vec(value).map_err(|_| Error::Unreadable)?);
        Ok(self.key.seal(&self.column(column), &plain))
    }

    fn open_json<T: DeserializeOwned>(&self, column: &'static str, sealed: &[u8]) -> Result<T> {
        let plain = self.key.open(&self.column(column), sealed)?;
        serde_json::from_slice(&plain).map_err(|_| Error::Unreadable)
    }

    fn column(&self, column: &'static str) -> Context {
        Context::new(self.tenant.as_uuid(), column)
    }
}

impl fmt::Debug for TenantRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantRecords")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
