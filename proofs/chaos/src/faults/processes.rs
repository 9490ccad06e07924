use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use stage::{Replica, Service};
use tokio::time::sleep;

use crate::world::{World, failpoints};

/// The points at which each service may die.
pub(super) const POINTS: &[(Service, &str)] = &[
    (Service::ApiGateway, "gateway.received"),
    (Service::ApiGateway, "gateway.committed"),
    (Service::WebhookIngest, "ingest.received"),
    (Service::WebhookIngest, "ingest.committed"),
    (Service::WebhookIngest, "ingest.published"),
    (Service::Sender, "keep.committed"),
    (Service::Sender, "release.committed"),
    (Service::Sender, "release.published"),
    (Service::Sender, "consume.received"),
    (Service::Sender, "consume.claimed"),
    (Service::Sender, "act.begun"),
    (Service::Sender, "provider.written"),
    (Service::Sender, "provider.answered"),
    (Service::Sender, "act.done"),
    (Service::Sender, "record.committed"),
    (Service::Sender, "consume.acking"),
    (Service::StatusWorker, "consume.received"),
    (Service::StatusWorker, "consume.claimed"),
    (Service::StatusWorker, "act.done"),
    (Service::StatusWorker, "record.committed"),
    (Service::StatusWorker, "consume.acking"),
    (Service::CallbackWorker, "keep.committed"),
    (Service::CallbackWorker, "release.committed"),
    (Service::CallbackWorker, "release.published"),
    (Service::CallbackWorker, "consume.received"),
    (Service::CallbackWorker, "consume.claimed"),
    (Service::CallbackWorker, "callback.written"),
    (Service::CallbackWorker, "callback.answered"),
    (Service::CallbackWorker, "record.committed"),
    (Service::CallbackWorker, "consume.acking"),
];

/// Points that are passed only by what its releaser does not keep for its own process.
const BY_THE_BROKER: [&str; 2] = ["release.", "consume."];

/// Longer than a process may take to finish what it has begun.
const DRAIN: Duration = Duration::from_secs(20);
/// With traffic a point is reached long before.
const PATIENCE: Duration = Duration::from_secs(30);
/// At which visit of the point it dies, at the latest.
const LATEST_VISIT: u32 = 12;

/// A replica dies at a point, and is started again.
pub(super) async fn die(
    world: &World,
    rng: &mut Rng,
    (service, point): (Service, &'static str),
) -> anyhow::Result<()> {
    let mut held = any(world, rng, service)?.hold().await;
    held.terminate(DRAIN).await?;
    let visit = rng.u32(1..=LATEST_VISIT);
    let mut settings = vec![failpoints(&format!("{point}=abort@{visit}"))];
    if BY_THE_BROKER.iter().any(|way| point.starts_with(way)) {
        settings.push(("LABWIRE_ENGINE__KEEPS", "0".to_owned()));
    }
    held.start(&settings)?;
    let died = held.has_died(PATIENCE).await?;
    if !died {
        held.kill().await?;
    }
    held.start(&[])?;
    ensure!(died, "{} never came to {point}", service.name());
    Ok(())
}

/// A replica is killed wherever it is.
pub(super) async fn kill(world: &World, rng: &mut Rng, service: Service) -> anyhow::Result<()> {
    let mut held = any(world, rng, service)?.hold().await;
    sleep(Duration::from_millis(rng.u64(0..1000))).await;
    held.kill().await?;
    sleep(Duration::from_millis(500)).await;
    held.start(&[])
}

/// A replica is asked to end, with work in its hands, and ends in good order.
pub(super) async fn terminate(
    world: &World,
    rng: &mut Rng,
    service: Service,
) -> anyhow::Result<()> {
    let mut held = any(world, rng, service)?.hold().await;
    sleep(Duration::from_millis(rng.u64(0..1000))).await;
    let ended = held.terminate(DRAIN).await;
    held.start(&[])?;
    let status = ended?;
    ensure!(
        status.success(),
        "{} did not end in good order: {status}",
        service.name()
    );
    Ok(())
}

pub(super) fn any<'a>(
    world: &'a World,
    rng: &mut Rng,
    service: Service,
) -> anyhow::Result<&'a Replica> {
    rng.choice(world.replicas(service))
        .with_context(|| format!("there is no {}", service.name()))
}
