use std::sync::Arc;

use domain::MessageId;
use storage::{
    Database,
    attachments::{Attachment, find_attachment},
    messages::{self, Message, MessageRow},
};

use crate::accounts::{Account, Accounts};

/// The message and all that a send of it needs.
pub(crate) struct Job {
    pub(crate) message: Message,
    pub(crate) row: MessageRow,
    pub(crate) account: Arc<Account>,
    pub(crate) attachment: Option<Attachment>,
}

/// A trouble of our own: the database, the files, the keys. Nothing was sent.
pub(crate) type Trouble = Box<dyn std::error::Error + Send + Sync>;

impl Job {
    /// `None` if there is nothing of it any more.
    pub(crate) async fn load(
        database: &Database,
        accounts: &Accounts,
        id: MessageId,
    ) -> Result<Option<Self>, Trouble> {
        let mut connection = database.acquire().await?;
        let Some(message) = messages::find_message(&mut connection, id).await? else {
            return Ok(None);
        };
        let Some(row) = messages::find_state(&mut connection, id).await? else {
            return Ok(None);
        };
        let attachment = match message.attachment_id {
            Some(id) => {
                let found = find_attachment(&mut connection, id).await?;
                Some(found.ok_or("the report file's record is missing")?)
            }
            None => None,
        };
        drop(connection);
        let Some(account) = accounts.find(message.sender_number_id).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            message,
            row,
            account,
            attachment,
        }))
    }
}
