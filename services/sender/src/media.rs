use std::{sync::Arc, time::Duration};

use attachments::{AttachmentStore, MediaType, ObjectKey};
use domain::Clock;
use providers::{MediaKind, MediaUpload, Provider, SendError, Sender};
use storage::{
    attachments::{Attachment, MediaUpload as Upload},
    messages::SendableFile,
};

use crate::{
    job::{Job, Trouble},
    metrics,
};

/// The provider keeps an upload for 30 days (Meta, Media reference); a day less is safe.
const MEDIA_LIFETIME: Duration = Duration::from_hours(29 * 24);
/// No file larger than this is ever read into memory: the provider's own limit for documents.
const MAX_FILE_BYTES: u64 = 100 * 1024 * 1024;

/// A report file that the provider knows.
pub(crate) struct UploadedFile {
    pub(crate) media_id: String,
    pub(crate) filename: String,
    pub(crate) kind: MediaKind,
    /// What is to be kept of it, if it was not known before.
    pub(crate) made: Option<Upload>,
}

/// Brings report files to the provider: once for each number, reused while the provider keeps them.
pub(crate) struct Media<P> {
    files: AttachmentStore,
    provider: P,
    clock: Arc<dyn Clock>,
}

impl<P: Provider> Media<P> {
    pub(crate) fn new(files: AttachmentStore, provider: P, clock: Arc<dyn Clock>) -> Self {
        Self {
            files,
            provider,
            clock,
        }
    }

    /// An upload has no effect that a patient sees: a lost answer may be asked for again.
    pub(crate) async fn upload(
        &self,
        sender: &Sender,
        job: &Job,
        file: &SendableFile,
    ) -> Result<Result<UploadedFile, SendError>, Trouble> {
        let attachment = &file.attachment;
        let (id, number) = (attachment.id, job.message.sender_number_id);
        let filename = job.account.records.open_filename(&attachment.filename)?;
        let kind = kind_of(attachment)?;
        if let Some(media_id) = &file.media_id {
            return Ok(Ok(UploadedFile {
                media_id: media_id.clone(),
                filename,
                kind,
                made: None,
            }));
        }
        let object = ObjectKey::new(attachment.tenant_id.as_uuid(), id.as_uuid());
        let bytes = self
            .files
            .get_bytes(&object, job.account.records.file_key(), MAX_FILE_BYTES)
            .await?;
        failpoints::look_at("poison.file", &bytes);
        let media = MediaUpload {
            mime: attachment.media_type.clone(),
            filename: filename.clone(),
            bytes,
        };
        let media_id = match self.provider.upload_media(sender, media).await {
            Ok(media_id) => media_id,
            Err(SendError::Ambiguous { source }) => {
                metrics::upload("unconfirmed");
                return Ok(Err(SendError::NotSent { source }));
            }
            Err(error) => {
                metrics::upload("refused");
                return Ok(Err(error));
            }
        };
        metrics::upload("stored");
        let made = Upload {
            attachment_id: id,
            sender_number_id: number,
            tenant_id: attachment.tenant_id,
            media_id: media_id.clone(),
            expires_at: self.clock.now() + MEDIA_LIFETIME,
        };
        Ok(Ok(UploadedFile {
            media_id,
            filename,
            kind,
            made: Some(made),
        }))
    }
}

pub(crate) fn kind_of(attachment: &Attachment) -> Result<MediaKind, Trouble> {
    Ok(match attachment.media_type.parse::<MediaType>()? {
        MediaType::Pdf => MediaKind::Document,
        MediaType::Jpeg | MediaType::Png => MediaKind::Image,
    })
}
