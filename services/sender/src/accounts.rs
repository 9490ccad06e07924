use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Clock, SenderNumberId};
use sealed_records::{DataKeys, TenantRecords};
use secrecy::SecretString;
use storage::{
    Database, credentials,
    sender_numbers::{self, SenderNumber},
    templates::{self, Template},
    tenants::{self, Tenant},
};

/// How long what is known of a number is used without asking again. A token is decrypted for no longer than this.
const LIFETIME: Duration = Duration::from_secs(10);

/// A number, whose it is, and what it sends with.
pub(crate) struct Account {
    pub(crate) number: SenderNumber,
    pub(crate) tenant: Tenant,
    pub(crate) records: TenantRecords,
    pub(crate) token: Option<Token>,
    pub(crate) templates: Vec<Template>,
}

/// A number's access token, and since when it is that.
pub(crate) struct Token {
    pub(crate) secret: SecretString,
    pub(crate) updated_at: DateTime<Utc>,
}

/// What is known of the numbers, for a short time.
pub(crate) struct Accounts {
    database: Database,
    keys: DataKeys,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<SenderNumberId, (Arc<Account>, Duration)>>,
}

impl Accounts {
    pub(crate) fn new(database: Database, keys: DataKeys, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            keys,
            clock,
            known: Mutex::new(HashMap::new()),
        }
    }

    /// `None` if there is no such number or tenant any more.
    pub(crate) async fn find(
        &self,
        id: SenderNumberId,
    ) -> sealed_records::Result<Option<Arc<Account>>> {
        let now = self.clock.monotonic();
        if let Some(account) = self.known(id, now) {
            return Ok(Some(account));
        }
        let Some(account) = self.load(id).await?.map(Arc::new) else {
            return Ok(None);
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, since)| now < *since + LIFETIME);
        known.insert(id, (Arc::clone(&account), now));
        Ok(Some(account))
    }

    /// The provider refused the token: the next send asks for the current one.
    pub(crate) fn forget(&self, id: SenderNumberId) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    fn known(&self, id: SenderNumberId, now: Duration) -> Option<Arc<Account>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&id)
            .filter(|(_, since)| now < *since + LIFETIME)
            .map(|(account, _)| Arc::clone(account))
    }

    async fn load(&self, id: SenderNumberId) -> sealed_records::Result<Option<Account>> {
        let mut connection = self.database.acquire().await?;
        let Some(number) = sender_numbers::list_sender_numbers(&mut connection, &[id])
            .await?
            .pop()
        else {
            return Ok(None);
        };
        let Some(tenant) = tenants::find_tenant(&mut connection, number.tenant_id).await? else {
            return Ok(None);
        };
        let credential = credentials::find_credential(&mut connection, id).await?;
        let templates = templates::list_templates(&mut connection, tenant.id).await?;
        // The keys use a connection of their own.
        drop(connection);
        let records = self.keys.tenant(tenant.id).await?;
        let token = credential
            .map(|credential| -> sealed_records::Result<Token> {
                let secret = records.open_access_token(&credential.access_token)?;
                Ok(Token {
                    secret,
                    updated_at: credential.updated_at,
                })
            })
            .transpose()?;
        Ok(Some(Account {
            number,
            tenant,
            records,
            token,
            templates,
        }))
    }
}
