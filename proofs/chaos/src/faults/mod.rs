//! Everything that can be broken: what it is called, who may break at the same time, and how it is done.
//! Each fault heals what it broke before it returns.

mod host;
mod poison;
mod postgres;
mod processes;
mod provider;
mod rabbitmq;
mod webhooks;

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use stage::Service;

use crate::world::World;
use host::Host;
use poison::Poison;
use postgres::Postgres;
use provider::Misbehaviour;
use rabbitmq::RabbitMq;
use webhooks::Webhooks;

/// Faults of one lane come one after another; the lanes go on side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The processes that reports go through.
    Reports,
    /// Those that webhooks and callbacks go through.
    News,
    Servers,
    Provider,
    /// What comes from outside: webhooks, files, answers of the LIMS.
    Arrivals,
}

impl Lane {
    pub(crate) const ALL: [Self; 5] = [
        Self::Reports,
        Self::News,
        Self::Servers,
        Self::Provider,
        Self::Arrivals,
    ];

    fn of(service: Service) -> Self {
        match service {
            Service::ApiGateway | Service::Sender => Self::Reports,
            _ => Self::News,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Dies at a named point.
    Dies(Service, &'static str),
    Killed(Service),
    Terminated(Service),
    Postgres(Postgres),
    RabbitMq(RabbitMq),
    Host(Host),
    Provider(Misbehaviour),
    Webhooks(Webhooks),
    Poison(Poison),
}

/// Something that breaks.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) name: String,
    kind: Kind,
}

impl Fault {
    fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
        }
    }

    /// All there are, in the order in which a run begins them: first what takes longest to be over.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        all.extend(Poison::ALL.map(|(name, poison)| Self::new(name, Kind::Poison(poison))));
        all.extend(Misbehaviour::ALL.map(|(name, it)| Self::new(name, Kind::Provider(it))));
        all.extend(Webhooks::ALL.map(|(name, it)| Self::new(name, Kind::Webhooks(it))));
        all.extend(Postgres::ALL.map(|(name, it)| Self::new(name, Kind::Postgres(it))));
        all.extend(RabbitMq::ALL.map(|(name, it)| Self::new(name, Kind::RabbitMq(it))));
        all.extend(Host::ALL.map(|(name, it)| Self::new(name, Kind::Host(it))));
        for (service, point) in processes::POINTS {
            let name = format!("{} dies at {point}", service.name());
            all.push(Self::new(name, Kind::Dies(*service, point)));
        }
        for service in Service::ALL {
            let name = service.name();
            all.push(Self::new(
                format!("{name} is killed"),
                Kind::Killed(service),
            ));
            all.push(Self::new(
                format!("{name} is terminated"),
                Kind::Terminated(service),
            ));
        }
        all
    }

    pub(crate) fn lane(&self) -> Lane {
        match self.kind {
            Kind::Dies(service, _) | Kind::Killed(service) | Kind::Terminated(service) => {
                Lane::of(service)
            }
            Kind::Host(Host::Clock(_)) => Lane::Reports,
            Kind::Postgres(_) | Kind::RabbitMq(_) | Kind::Host(Host::DiskFills) => Lane::Servers,
            Kind::Provider(_) => Lane::Provider,
            Kind::Webhooks(_) | Kind::Poison(_) => Lane::Arrivals,
        }
    }

    /// Breaks it, and heals it.
    pub(crate) async fn inject(&self, world: &Arc<World>, rng: &mut Rng) -> anyhow::Result<()> {
        match self.kind {
            Kind::Dies(service, point) => processes::die(world, rng, (service, point)).await,
            Kind::Killed(service) => processes::kill(world, rng, service).await,
            Kind::Terminated(service) => processes::terminate(world, rng, service).await,
            Kind::Postgres(fault) => fault.inject(world).await,
            Kind::RabbitMq(fault) => fault.inject(world).await,
            Kind::Host(fault) => fault.inject(world, rng).await,
            Kind::Provider(fault) => fault.inject(world, rng).await,
            Kind::Webhooks(fault) => fault.inject(world, rng).await,
            Kind::Poison(fault) => fault.inject(world, rng).await,
        }
    }
}

/// Long enough for many messages to meet the fault.
const HOLD: Duration = Duration::from_secs(3);
