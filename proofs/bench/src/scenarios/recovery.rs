use std::time::Duration;

use meta_simulator::Fault;
use stage::Platform;
use tokio::time::Instant;

use super::{
    accept::{Content, Posts},
    lifecycle::post_all,
};
use crate::load::as_f64;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_mins(10);
/// What the provider says while it is out of order (Meta's code for maintenance of a number).
const MAINTENANCE: u32 = 131_057;

/// Reports pile up while the provider refuses all; how many go all the way in a second once it works again.
pub(crate) async fn measure(
    platform: &Platform,
    posts: &Posts,
    (count, connections): (u64, usize),
) -> anyhow::Result<f64> {
    let faults = platform.provider.simulator().faults();
    let outage = faults.add(Fault::error(MAINTENANCE));
    post_all(platform, posts, (&Content::Text, count, connections)).await?;
    let waiting = platform.servers.sql("SELECT count(*) FROM work").await?;
    let waiting: u64 = waiting.trim().parse()?;
    faults.remove(outage);
    let began = Instant::now();
    platform.until_done(PATIENCE).await?;
    Ok(as_f64(waiting) / began.elapsed().as_secs_f64())
}
