use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use stage::say;

use crate::{operator::Operator, world::World};

/// For so long there may be no fewer left: who gets on only slowly, on a busy machine, has lost nothing.
const PATIENCE: Duration = Duration::from_mins(4);
/// By then everything must have come to its end.
const LONGEST: Duration = Duration::from_mins(15);
const GLANCE: Duration = Duration::from_secs(1);

/// Waits until nothing is left to do. What nothing is heard of, the operator decides, when nothing more can be heard.
pub(crate) async fn drain(world: &World, operator: &Operator) -> anyhow::Result<()> {
    let began = Instant::now();
    let (mut fewest, mut since) = (u64::MAX, began);
    sleep_until(world.over_at().await).await;
    loop {
        let left = left(world).await?;
        if left.is_nothing() && world.platform.provider.has_told_all() {
            return Ok(());
        }
        if left.waiting == 0 {
            operator.decide(world).await?;
        }
        if left.waiting + left.held < fewest {
            (fewest, since) = (left.waiting + left.held, Instant::now());
        }
        if since.elapsed() >= PATIENCE || began.elapsed() >= LONGEST {
            say(&format!("chaos: the drain ended with {left:?}"));
            return Ok(());
        }
        sleep(GLANCE).await;
    }
}

/// Work that is not done: on its way, or held until somebody decides.
#[derive(Debug)]
struct Left {
    waiting: u64,
    held: u64,
}

impl Left {
    fn is_nothing(&self) -> bool {
        self.waiting == 0 && self.held == 0
    }
}

async fn left(world: &World) -> anyhow::Result<Left> {
    let servers = &world.platform.servers;
    let query = "SELECT count(*) FILTER (WHERE state <> 'held'), count(*) FILTER (WHERE state = 'held') FROM work";
    let answer = servers.sql(query).await?;
    let mut counts = answer.split('|').map(str::parse);
    Ok(Left {
        waiting: counts.next().transpose()?.unwrap_or_default(),
        held: counts.next().transpose()?.unwrap_or_default(),
    })
}
