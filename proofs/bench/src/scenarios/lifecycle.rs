use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use domain::{Clock as _, SystemClock};
use stage::{Platform, Service};
use tokio::task::JoinSet;

use super::accept::{Content, Posts};
use crate::{client::Connection, load::as_f64};

/// How long all of it may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// Posts so many reports as fast as they are accepted; how many went all the way in a second, from the first post to the
/// last callback.
pub(crate) async fn measure(
    platform: &Platform,
    posts: &Posts,
    load: (&Content, u64, usize),
) -> anyhow::Result<f64> {
    let took_before = platform.callbacks.taken().len();
    let began = SystemClock.now();
    post_all(platform, posts, load).await?;
    platform.until_done(PATIENCE).await?;
    let callbacks = platform.callbacks.taken().lines_from(took_before);
    let last = callbacks.iter().map(|it| it.at).max();
    let Some(last) = last else {
        anyhow::bail!("no callback came");
    };
    let (_, count, _) = load;
    Ok(as_f64(count) / (last - began).to_std()?.as_secs_f64())
}

/// Posts so many reports over so many connections, each when its last one was accepted.
pub(crate) async fn post_all(
    platform: &Platform,
    posts: &Posts,
    (content, count, connections): (&Content, u64, usize),
) -> anyhow::Result<()> {
    let address = platform.address(Service::ApiGateway)?;
    let left = Arc::new(AtomicU64::new(count));
    let mut posting = JoinSet::new();
    for _ in 0..connections {
        let (posts, content, left) = (posts.clone(), content.clone(), Arc::clone(&left));
        posting.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let order = Ordering::Relaxed;
            while left
                .fetch_update(order, order, |it| it.checked_sub(1))
                .is_ok()
            {
                let status = connection.ask(&posts.next(&content)).await?;
                ensure!(status == 202, "a report was answered with {status}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(posted) = posting.join_next().await {
        posted??;
    }
    Ok(())
}
