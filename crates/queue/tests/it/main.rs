//! Both brokers against one contract, and what only RabbitMQ can get wrong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod in_process;
mod rabbitmq;
mod support;
