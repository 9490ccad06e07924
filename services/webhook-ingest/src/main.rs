//! The webhook ingest as a process of its own; it needs a broker.

use std::process::ExitCode;

use anyhow::Context;
use queue::{Broker, RabbitConfig};
use secrecy::ExposeSecret;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service_runtime::main(
        "webhook-ingest",
        |config: webhook_ingest::Config, lifecycle| async move {
            let url = config.amqp.url.clone().context(
                "LABWIRE_AMQP__URL is missing: a webhook ingest of its own needs RabbitMQ",
            )?;
            let rabbitmq = RabbitConfig::new(url.expose_secret(), "webhook-ingest")?
                .publish_timeout(config.amqp.publish_timeout);
            let broker = Broker::rabbitmq(rabbitmq).await;
            webhook_ingest::run(config, broker, lifecycle).await
        },
    )
}
