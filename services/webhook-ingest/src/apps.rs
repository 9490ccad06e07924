use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::Clock;
use sealed_records::DataKeys;
use secrecy::SecretString;
use storage::{Database, webhook_apps};

/// How long an app's secrets are used without asking again.
const LIFETIME: Duration = Duration::from_secs(30);
/// Most app names remembered; only names of existing apps are.
const KEPT: usize = 1_000;

/// What verifies an app's webhooks.
pub(crate) struct App {
    pub(crate) secret: SecretString,
    pub(crate) verify_token: SecretString,
}

/// The apps, by the name in the webhook's path.
pub(crate) struct Apps {
    database: Database,
    keys: DataKeys,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, (Arc<App>, Duration)>>,
}

impl Apps {
    pub(crate) fn new(database: Database, keys: DataKeys, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            keys,
            clock,
            known: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) async fn find(&self, name: &str) -> sealed_records::Result<Option<Arc<App>>> {
        let now = self.clock.monotonic();
        if let Some(app) = self.known(name, now) {
            return Ok(Some(app));
        }
        let Some(app) = self.load(name).await?.map(Arc::new) else {
            return Ok(None);
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(name.to_owned(), (Arc::clone(&app), now));
        Ok(Some(app))
    }

    fn known(&self, name: &str, now: Duration) -> Option<Arc<App>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(name)
            .filter(|(_, since)| now < *since + LIFETIME)
            .map(|(app, _)| Arc::clone(app))
    }

    async fn load(&self, name: &str) -> sealed_records::Result<Option<App>> {
        let mut connection = self.database.acquire().await?;
        let Some(app) = webhook_apps::find_app(&mut connection, name).await? else {
            return Ok(None);
        };
        drop(connection);
        let platform = self.keys.platform().await?;
        Ok(Some(App {
            secret: platform.open_app_secret(&app.app_secret)?,
            verify_token: platform.open_verify_token(&app.verify_token)?,
        }))
    }
}
