use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use dispatch::Claim;
use domain::MessageId;
use storage::{
    Database,
    messages::{Message, MessageRow, Sendable, SendableFile, list_sendable},
};

use crate::accounts::{Account, Accounts};

/// The message and all that a send of it needs.
pub(crate) struct Job {
    pub(crate) message: Message,
    pub(crate) row: MessageRow,
    pub(crate) account: Arc<Account>,
    pub(crate) file: Option<SendableFile>,
    pub(crate) window_until: Option<DateTime<Utc>>,
}

/// A trouble of our own: the database, the files, the keys. Nothing was sent.
pub(crate) type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// A message as it is stored; `None` if there is nothing of it any more. Or why it could not be looked up.
pub(crate) type Stored = Result<Option<Sendable>, Arc<storage::Error>>;

/// Looks up what these claims are to send; one answer for each, in order.
pub(crate) async fn look_up(
    database: &Database,
    claims: &[Claim],
    now: DateTime<Utc>,
) -> Vec<Stored> {
    let ids: Vec<MessageId> = claims.iter().map(subject).collect();
    let listed = async {
        let mut connection = database.acquire().await?;
        list_sendable(&mut connection, &ids, now).await
    };
    let listed = listed.await.map_err(Arc::new);
    let mut found = listed.map(|stored| {
        let by_id = stored.into_iter().map(|it| (it.message.id, it));
        by_id.collect::<HashMap<_, _>>()
    });
    let stored = ids.iter().map(|id| match &mut found {
        Ok(found) => Ok(found.remove(id)),
        Err(error) => Err(Arc::clone(error)),
    });
    stored.collect()
}

pub(crate) fn subject(claim: &Claim) -> MessageId {
    MessageId::from_uuid(claim.subject)
}

impl Job {
    /// `None` if there is nothing of it any more.
    pub(crate) async fn new(accounts: &Accounts, stored: Stored) -> Result<Option<Self>, Trouble> {
        let Some(stored) = stored? else {
            return Ok(None);
        };
        if stored.message.attachment_id.is_some() && stored.file.is_none() {
            return Err("the report file's record is missing".into());
        }
        let Some(account) = accounts.find(stored.message.sender_number_id).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            message: stored.message,
            row: stored.row,
            account,
            file: stored.file,
            window_until: stored.window_until,
        }))
    }
}
