use std::time::Duration;

use stage::Server;
use tokio::time::sleep;

use super::HOLD;
use crate::world::World;

/// What may happen to the database and to the way there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Postgres {
    Restarted,
    Killed,
    BackendsTerminated,
    Slow,
    Unreachable,
    HalfOpen,
    Reset,
    Silent,
}

impl Postgres {
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("PostgreSQL is restarted", Self::Restarted),
        ("PostgreSQL is killed", Self::Killed),
        (
            "PostgreSQL's backends are terminated",
            Self::BackendsTerminated,
        ),
        ("PostgreSQL is slow", Self::Slow),
        ("PostgreSQL is unreachable", Self::Unreachable),
        ("PostgreSQL's connections are half open", Self::HalfOpen),
        ("PostgreSQL's connections are reset", Self::Reset),
        ("PostgreSQL is silent", Self::Silent),
    ];

    pub(super) async fn inject(self, world: &World) -> anyhow::Result<()> {
        let (servers, proxy) = (&world.platform.servers, &world.platform.database_proxy);
        match self {
            Self::Restarted => {
                servers.stop(Server::Postgres).await?;
                servers.start(Server::Postgres).await?;
            }
            Self::Killed => {
                servers.kill(Server::Postgres).await?;
                servers.start(Server::Postgres).await?;
            }
            Self::BackendsTerminated => terminate_backends(world).await?,
            Self::Slow => {
                proxy.delay(Duration::from_millis(250)).await;
                sleep(HOLD).await;
                proxy.heal().await;
            }
            Self::Unreachable => {
                proxy.cut().await;
                sleep(HOLD).await;
                proxy.heal().await;
            }
            Self::HalfOpen => {
                proxy.abandon().await;
                sleep(HOLD).await;
            }
            Self::Reset => proxy.reset().await,
            Self::Silent => {
                proxy.stall().await;
                sleep(HOLD).await;
                proxy.heal().await;
            }
        }
        Ok(())
    }
}

/// All connections of the services, as an administrator would end them. Only a service's own role may: each ends its own.
async fn terminate_backends(world: &World) -> anyhow::Result<()> {
    for role in ["labwire_gateway", "labwire_ingest", "labwire_worker"] {
        let own = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()";
        world.platform.servers.sql_as(role, own).await?;
    }
    Ok(())
}
