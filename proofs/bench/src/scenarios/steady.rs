use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use domain::{Clock as _, SystemClock};
use stage::{Platform, Service};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    accept::{Content, Posts},
    endurance::reads,
    lifecycle::PATIENCE,
};
use crate::{client::Connection, load::as_f64};

/// Between two looks for what was read.
const LOOK: Duration = Duration::from_millis(50);

/// A stream that is as fast as it is carried.
#[derive(Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) connections: usize,
    /// Texts that are under way at a time, from their post to the callback that says that they were read.
    pub(crate) under_way: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What went all the way.
pub(crate) struct Carried {
    pub(crate) per_second: f64,
    /// With those of the warm-up, and of the end.
    pub(crate) texts: u64,
}

/// Posts a text whenever one was read.
pub(crate) async fn measure(
    platform: &Platform,
    posts: &Posts,
    stream: Stream,
) -> anyhow::Result<Carried> {
    let address = platform.address(Service::ApiGateway)?;
    let free = Arc::new(Semaphore::new(stream.under_way));
    let mut known = platform.callbacks.taken().len();
    let mut posting = JoinSet::new();
    for _ in 0..stream.connections {
        let (posts, free) = (posts.clone(), Arc::clone(&free));
        posting.spawn(async move {
            let mut connection = Connection::open(address).await?;
            while let Ok(permit) = free.acquire().await {
                permit.forget();
                let status = connection.ask(&posts.next(&Content::Text)).await?;
                ensure!(status == 202, "a text was answered with {status}");
            }
            anyhow::Ok(())
        });
    }
    let before = known;
    let from = SystemClock.now() + stream.warm_up;
    let to = from + stream.measured;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while SystemClock.now() < to {
        look.tick().await;
        let callbacks = platform.callbacks.taken().lines_from(known);
        known += callbacks.len();
        free.add_permits(reads(&callbacks).count());
        while let Some(posted) = posting.try_join_next() {
            posted??;
        }
    }
    free.close();
    while let Some(posted) = posting.join_next().await {
        posted??;
    }
    platform.until_done(PATIENCE).await?;
    let callbacks = platform.callbacks.taken().lines_from(before);
    let in_time = reads(&callbacks).filter(|(callback, _)| (from..to).contains(&callback.at));
    let in_time = u64::try_from(in_time.count())?;
    Ok(Carried {
        per_second: as_f64(in_time) / stream.measured.as_secs_f64(),
        texts: u64::try_from(reads(&callbacks).count())?,
    })
}
