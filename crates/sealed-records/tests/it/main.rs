//! What is sealed opens again: in its own column, for its own tenant, with a key that the database still has.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test, as it should"
)]

mod keys;
mod records;
mod stage;
