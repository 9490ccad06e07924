//! The test tools, tested: a tool that lies makes every test after it worthless.

#![expect(clippy::unwrap_used, reason = "in a test, an unwrap is an assertion")]

mod database;
mod eventually;
mod proxy;
mod rabbitmq;
mod receiver;
