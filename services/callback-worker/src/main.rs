//! The callback worker as a process of its own; it needs a broker.

use std::process::ExitCode;

use anyhow::Context;
use queue::{Broker, RabbitConfig};
use secrecy::ExposeSecret;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service_runtime::main(
        "callback-worker",
        |config: callback_worker::Config, lifecycle| async move {
            let url = config.amqp.url.clone().context(
                "LABWIRE_AMQP__URL is missing: a callback worker of its own needs RabbitMQ",
            )?;
            let rabbitmq = RabbitConfig::new(url.expose_secret(), "callback-worker")?
                .publish_timeout(config.amqp.publish_timeout);
            let broker = Broker::rabbitmq(rabbitmq).await;
            callback_worker::run(&config, broker, &lifecycle)
        },
    )
}
