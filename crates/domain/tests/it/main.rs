//! Tables and properties over the public API.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap in a helper fails the test, as it should"
)]

mod clock;
mod decision;
mod delivery;
mod ids;
mod names;
mod phone;
mod retry;
mod text;
mod token_bucket;
