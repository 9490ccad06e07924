use std::{sync::Arc, time::Duration};

use anyhow::bail;
use chrono::{DateTime, Utc};
use domain::{Clock as _, SystemClock};
use fastrand::Rng;
use serde::Serialize;
use stage::{Ledger, say};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    faults::{Fault, Lane},
    world::World,
};

/// How often a fault that could not be injected is tried.
const TRIES: usize = 3;

/// One time that a fault was injected.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Episode {
    pub(crate) fault: String,
    pub(crate) began_at: DateTime<Utc>,
    pub(crate) ended_at: DateTime<Utc>,
}

/// Injects each of the faults so often. The order within a lane is the seed's.
pub(crate) async fn play(
    world: &Arc<World>,
    faults: &[Fault],
    episodes: usize,
    seed: u64,
) -> anyhow::Result<Vec<Episode>> {
    let ledger = Ledger::default();
    let mut lanes = JoinSet::new();
    for (number, lane) in Lane::ALL.into_iter().enumerate() {
        let mut rng = Rng::with_seed(seed.wrapping_add(number as u64));
        let order = order(faults, lane, episodes, &mut rng);
        let (world, ledger) = (Arc::clone(world), ledger.clone());
        lanes.spawn(async move { play_lane(&world, order, (lane, rng), &ledger).await });
    }
    while let Some(lane) = lanes.join_next().await {
        lane??;
    }
    Ok(ledger.lines())
}

fn order(faults: &[Fault], lane: Lane, episodes: usize, rng: &mut Rng) -> Vec<Fault> {
    let own: Vec<Fault> = faults
        .iter()
        .filter(|it| it.lane() == lane)
        .cloned()
        .collect();
    let mut order = Vec::with_capacity(own.len() * episodes);
    for round in 0..episodes {
        let mut round_of = own.clone();
        // What takes longest to be over comes first, once.
        if round > 0 || lane != Lane::Provider {
            rng.shuffle(&mut round_of);
        }
        order.append(&mut round_of);
    }
    order
}

async fn play_lane(
    world: &Arc<World>,
    order: Vec<Fault>,
    (lane, mut rng): (Lane, Rng),
    ledger: &Ledger<Episode>,
) -> anyhow::Result<()> {
    for fault in order {
        let mut tries = 0;
        loop {
            let began_at = SystemClock.now();
            let injected = fault.inject(world, &mut rng).await;
            tries += 1;
            match injected {
                Ok(()) => {
                    ledger.note(Episode {
                        fault: fault.name.clone(),
                        began_at,
                        ended_at: SystemClock.now(),
                    });
                    break;
                }
                Err(error) if tries < TRIES => {
                    say(&format!("chaos: {}: {error:#}; again", fault.name));
                }
                Err(error) => bail!("{}: {error:#}", fault.name),
            }
        }
        sleep(rest(lane)).await;
    }
    Ok(())
}

/// Between two faults of a lane.
fn rest(lane: Lane) -> Duration {
    match lane {
        Lane::Servers => Duration::from_secs(2),
        _ => Duration::from_millis(300),
    }
}
