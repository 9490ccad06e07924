//! Where the private PostgreSQL and RabbitMQ of this test run are.

/// A test without its database fails; it is never skipped.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration but these variables"
)]
pub(crate) fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`"))
}
