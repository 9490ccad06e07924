//! The HTTP face that services share: problems, extractors that refuse with problems, request context, limits, serving.
//! Knows no domain rule, no storage and none of our other crates.

mod auth;
mod context;
mod extract;
mod guard;
mod idempotency;
mod layers;
mod metrics;
mod page;
mod problem;
mod server;
mod trace_context;
mod wording;

pub use auth::BearerToken;
pub use context::{REQUEST_ID, RequestId};
pub use extract::{ValidJson, ValidPath, ValidQuery};
pub use idempotency::{IDEMPOTENCY_KEY, IdempotencyKey};
pub use layers::{Limits, layered};
pub use metrics::{REQUEST_DURATION, REQUESTS};
pub use page::{Page, PageRequest, decode_cursor, encode_cursor};
pub use problem::Problem;
pub use server::serve;
pub use trace_context::{TRACEPARENT, TraceContext};
