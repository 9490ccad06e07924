//! The wire forms. A snapshot that changes is a breaking change until shown otherwise.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap in a helper fails the test, as it should"
)]

mod callback;
mod work;
