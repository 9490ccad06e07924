//! What becomes of a message when something is learned about it, and who is told.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that cannot go on fails its test, as it should"
)]

mod announcing;
mod dead_letters;
mod learning;
mod resolving;
mod stage;
