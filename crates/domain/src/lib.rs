//! The words and rules of the platform: ids, message lifecycle, error classes, pacing, phone numbers, texts.
//! Pure values and functions. Knows no I/O, no async, no SQL, no HTTP.

#[macro_use]
mod text_form;

mod clock;
mod decision;
mod delivery;
mod error_class;
mod ids;
mod losses;
mod message;
mod phone;
mod retry;
pub mod text;
mod token_bucket;
mod work;

pub use clock::{Clock, MockClock, SystemClock};
pub use decision::{Decider, Decision, DiscardReason, InvalidReason, InvalidWamid, Wamid};
pub use delivery::{Delivery, FailureCause, GivenUp, MessageState, ReportedStatus, StatusReport};
pub use error_class::{ErrorClass, ThrottleScope};
pub use ids::{
    ApiKeyId, AttachmentId, CallbackDeliveryId, CallbackEndpointId, CredentialId, EventId, FlowId,
    InboundMessageId, InvalidId, MessageId, PARTITIONS, SenderNumberId, TemplateId, TenantId,
    VendorId, WorkId,
};
pub use losses::Losses;
pub use message::{InvalidScope, Scope, UnconfirmedPolicy};
pub use phone::{InvalidPhoneNumber, PhoneNumber, Region, UnknownRegion};
pub use retry::{Backoff, InvalidSchedule, RetrySchedule};
pub use text::{Language, ReportVariables, TemplateError};
pub use text_form::UnknownName;
pub use token_bucket::{InvalidRate, Rate, TokenBucket};
pub use work::{Lane, UnknownLane, WorkKind};
