//! The sender as a process of its own; it needs a broker.

use std::process::ExitCode;

use anyhow::Context;
use queue::{Broker, RabbitConfig};
use secrecy::ExposeSecret;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service_runtime::main("sender", |config: sender::Config, lifecycle| async move {
        let url = config
            .amqp
            .url
            .clone()
            .context("LABWIRE_AMQP__URL is missing: a sender of its own needs RabbitMQ")?;
        let broker = Broker::rabbitmq(RabbitConfig::new(url.expose_secret(), "sender")?).await;
        sender::run(&config, broker, &lifecycle)
    })
}
