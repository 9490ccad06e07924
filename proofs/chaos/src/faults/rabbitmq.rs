use anyhow::Context as _;
use reqwest::Method;
use serde_json::Value;
use stage::Server;
use tokio::time::sleep;

use super::HOLD;
use crate::world::World;

/// What may happen to the broker.
#[derive(Clone, Copy, Debug)]
pub(super) enum RabbitMq {
    Restarted,
    Killed,
    ConnectionsCut,
    QueuesDeleted,
    DiskAlarm,
}

impl RabbitMq {
    pub(super) const ALL: [(&'static str, Self); 5] = [
        ("RabbitMQ is restarted", Self::Restarted),
        ("RabbitMQ is killed", Self::Killed),
        ("RabbitMQ's connections are cut", Self::ConnectionsCut),
        ("RabbitMQ's queues are deleted", Self::QueuesDeleted),
        ("RabbitMQ raises its disk alarm", Self::DiskAlarm),
    ];

    pub(super) async fn inject(self, world: &World) -> anyhow::Result<()> {
        let servers = &world.platform.servers;
        match self {
            Self::Restarted => {
                servers.stop(Server::RabbitMq).await?;
                servers.start(Server::RabbitMq).await
            }
            Self::Killed => {
                servers.kill(Server::RabbitMq).await?;
                servers.start(Server::RabbitMq).await
            }
            Self::ConnectionsCut => delete_all(world, "connections", |it| it["name"].clone()).await,
            Self::QueuesDeleted => delete_all(world, "queues", |it| it["name"].clone()).await,
            Self::DiskAlarm => {
                // More than any disk has free.
                servers
                    .rabbitmqctl(&["set_disk_free_limit", "900000GB"])
                    .await?;
                sleep(HOLD).await;
                servers.rabbitmqctl(&["set_disk_free_limit", "200MB"]).await
            }
        }
    }
}

async fn delete_all(world: &World, what: &str, name: fn(&Value) -> Value) -> anyhow::Result<()> {
    let servers = &world.platform.servers;
    let found = servers.management(Method::GET, &format!("/{what}")).await?;
    let found = found.as_array().context("a list was expected")?;
    for one in found {
        let name = name(one);
        let name = name.as_str().context("it has no name")?;
        // Queues belong to the virtual host that all services use.
        let host = if what == "queues" { "%2F/" } else { "" };
        let path = format!("/{what}/{host}{}", encoded(name));
        servers.management(Method::DELETE, &path).await?;
    }
    Ok(())
}

/// The management API wants names as one segment of a path.
fn encoded(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
