use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Clock, SenderNumberId, TenantId};
use sealed_records::{DataKeys, TenantRecords};
use secrecy::SecretString;
use storage::{
    Database,
    credentials::{Credential, list_credentials},
    sender_numbers::{SenderNumber, list_sender_numbers},
    templates::{Template, list_templates},
    tenants::{Tenant, list_tenants},
};

/// How long what is known of a number is used without asking again, its token among it.
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
        if let Some(account) = self.known(id, self.clock.monotonic()) {
            return Ok(Some(account));
        }
        self.load(&[id]).await?.pop().transpose()
    }

    /// Looks those up together that are about to be needed. What goes wrong is told to whoever needs it.
    pub(crate) async fn expect(&self, ids: impl Iterator<Item = SenderNumberId>) {
        let now = self.clock.monotonic();
        let mut unknown: Vec<SenderNumberId> =
            ids.filter(|id| self.known(*id, now).is_none()).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.len() > 1 {
            drop(self.load(&unknown).await);
        }
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

    /// Of each of these numbers that there is, its account, which is known from then on, or why it cannot be used.
    async fn load(
        &self,
        ids: &[SenderNumberId],
    ) -> sealed_records::Result<Vec<sealed_records::Result<Arc<Account>>>> {
        let asked_at = self.clock.monotonic();
        let mut connection = self.database.acquire().await?;
        let numbers = list_sender_numbers(&mut connection, ids).await?;
        let tenants: Vec<TenantId> = numbers.iter().map(|number| number.tenant_id).collect();
        let mut found = Found {
            tenants: by_id(list_tenants(&mut connection, &tenants).await?),
            credentials: list_credentials(&mut connection, ids).await?,
            templates: list_templates(&mut connection, &tenants).await?,
        };
        // The keys use a connection of their own.
        drop(connection);
        self.keys.expect(tenants.into_iter()).await;
        let mut accounts = Vec::with_capacity(numbers.len());
        for number in numbers {
            let id = number.id;
            let account = match self.account(number, &mut found).await {
                Ok(Some(account)) => Ok(Arc::new(account)),
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            if let Ok(account) = &account {
                self.keep(id, Arc::clone(account), asked_at);
            }
            accounts.push(account);
        }
        Ok(accounts)
    }

    async fn account(
        &self,
        number: SenderNumber,
        found: &mut Found,
    ) -> sealed_records::Result<Option<Account>> {
        let Some(tenant) = found.tenants.get(&number.tenant_id).cloned() else {
            return Ok(None);
        };
        let records = self.keys.tenant(tenant.id).await?;
        let token = match found.credentials.remove(&number.id) {
            Some(credential) => Some(Token {
                secret: records.open_access_token(&credential.access_token)?,
                updated_at: credential.updated_at,
            }),
            None => None,
        };
        let templates = found
            .templates
            .iter()
            .filter(|it| it.tenant_id == tenant.id);
        Ok(Some(Account {
            templates: templates.cloned().collect(),
            number,
            tenant,
            records,
            token,
        }))
    }

    fn keep(&self, id: SenderNumberId, account: Arc<Account>, asked_at: Duration) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Not at each one: there may be thousands.
        if known.len() >= known.capacity() {
            known.retain(|_, (_, since)| asked_at < *since + LIFETIME);
        }
        known.insert(id, (account, asked_at));
    }
}

/// What the accounts of some numbers are made of.
struct Found {
    tenants: HashMap<TenantId, Tenant>,
    credentials: HashMap<SenderNumberId, Credential>,
    templates: Vec<Template>,
}

fn by_id(tenants: Vec<Tenant>) -> HashMap<TenantId, Tenant> {
    let tenants = tenants.into_iter().map(|tenant| (tenant.id, tenant));
    tenants.collect()
}
