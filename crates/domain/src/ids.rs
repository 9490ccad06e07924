use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

/// How many partitions the flows of each kind of work are hashed to.
pub const PARTITIONS: i16 = 16;

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {prefix}_ followed by 32 lowercase hexadecimal digits")]
pub struct InvalidId {
    prefix: &'static str,
}

/// Time-ordered, so that rows written together lie together in every index.
fn uuid_at(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        seconds,
        now.timestamp_subsec_nanos(),
    ))
}

/// The one accepted spelling: uppercase, hyphens and braces are refused, so that an id has a single text form.
fn parse_prefixed(text: &str, prefix: &'static str) -> Result<Uuid, InvalidId> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|hex| hex.len() == 32 && !hex.bytes().any(|byte| byte.is_ascii_uppercase()))
        .and_then(|hex| Uuid::try_parse(hex).ok())
        .ok_or(InvalidId { prefix })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// A new id whose time part is that instant.
            pub fn new_at(now: DateTime<Utc>) -> Self {
                Self(uuid_at(now))
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}_{}", Self::PREFIX, self.0.simple())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_prefixed(text, Self::PREFIX).map(Self)
            }
        }

        serde_as_text!($name);
    )+};
}

ids! {
    /// A LIMS or HIS company.
    VendorId = "vnd";
    /// A lab, clinic or hospital: the unit of isolation.
    TenantId = "lab";
    /// A WhatsApp number that a tenant sends from.
    SenderNumberId = "num";
    /// A provider's access token, kept encrypted.
    CredentialId = "crd";
    /// A key that a LIMS calls the API with.
    ApiKeyId = "key";
    /// A message template approved by the provider.
    TemplateId = "tpl";
    /// One outbound message, from accepted to its last status.
    MessageId = "msg";
    /// A report file.
    AttachmentId = "att";
    /// One raw webhook delivery from a provider.
    EventId = "evt";
    /// What a patient wrote to a sender number.
    InboundMessageId = "inb";
    /// Something that must be done, not before it is due.
    WorkId = "wrk";
    /// A LIMS address that is told what became of messages.
    CallbackEndpointId = "cbe";
    /// One callback on its way to one endpoint.
    CallbackDeliveryId = "cbd";
}

/// The key that fairness and rate limits go by; for sending, the sender number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlowId(Uuid);

impl FlowId {
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }

    /// The partition, in `0..PARTITIONS`. Stored in rows: the hash (FNV-1a, folded) must never change.
    pub fn partition(&self) -> i16 {
        let hash = self
            .0
            .as_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        let folded = hash ^ (hash >> 32);
        i16::try_from(folded % u64::from(PARTITIONS.unsigned_abs()))
            .expect("a remainder of PARTITIONS fits its type")
    }
}
