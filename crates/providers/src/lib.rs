//! Carriers of messages: the only HTTP to them, and what their answers mean to us.
//! One folder per provider. Knows no SQL, no AMQP, no schedule: it says what happened, others decide what follows.

#[macro_use]
mod redacted;

mod message;
pub mod meta;
mod outcome;

use std::future::Future;

pub use message::{
    Content, HeaderMedia, Interactive, ListRow, ListSection, MediaKind, MediaUpload,
    OutboundMessage, ReplyButton, Sender, TemplateButton, TemplateParameter,
};
pub use outcome::{
    Accepted, AccountLoad, Classified, Load, MediaId, PublicCode, Rejection, SendError,
    TransportError, Trouble, Usage,
};

/// What a sender of messages needs of a carrier. One call is one attempt: nothing is repeated inside.
pub trait Provider: Send + Sync {
    fn send(
        &self,
        sender: &Sender,
        message: &OutboundMessage,
    ) -> impl Future<Output = Result<Accepted, SendError>> + Send;

    /// No patient sees an upload, so one whose answer was lost may be made again.
    fn upload_media(
        &self,
        sender: &Sender,
        media: MediaUpload,
    ) -> impl Future<Output = Result<MediaId, SendError>> + Send;
}
