//! What the services' connections to the database are doing, looked at many times in a second: what a throughput waits for.

use std::{
    collections::BTreeMap,
    fs,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use sqlx::{Connection as _, PgConnection};
use stage::say;
use tokio::{
    runtime::Builder,
    sync::oneshot::{self, Receiver, Sender},
    time::{MissedTickBehavior, interval},
};

const PAUSE: Duration = Duration::from_millis(20);
/// Of whoever has something to do: the event that is waited for, or else what is waited for, and its statement.
const LOOK: &str = "
    SELECT coalesce(string_agg(CASE WHEN state = 'active' THEN coalesce(wait_event, 'on a processor') ELSE 'the service' END
           || ': ' || left(regexp_replace(query, '\\s+', ' ', 'g'), 40), '; ' ORDER BY query), 'no transaction')
    FROM pg_stat_activity WHERE application_name = 'labwire' AND state <> 'idle'";
/// Most lines that are printed.
const LINES: usize = 12;

/// Looks until it is stopped, on a thread of its own: whoever is busy looks late.
pub(crate) struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<anyhow::Result<Waits>>,
}

/// How often each was seen.
#[derive(Default)]
pub(crate) struct Waits(BTreeMap<String, Looks>);

#[derive(Clone, Copy, Default)]
struct Looks {
    all: u32,
    /// Meanwhile a processor had nothing to do.
    idle: u32,
}

impl Watch {
    pub(crate) fn start(database_url: &str) -> anyhow::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let url = database_url.to_owned();
        let thread = thread::spawn(move || runtime.block_on(watch(url, stopped)));
        Ok(Self { stop, thread })
    }

    pub(crate) fn stop(self) -> anyhow::Result<Waits> {
        drop(self.stop);
        let waits = self.thread.join();
        waits.map_err(|_| anyhow!("the thread that looks at the database's connections is gone"))?
    }
}

async fn watch(url: String, mut stopped: Receiver<()>) -> anyhow::Result<Waits> {
    let mut connection = PgConnection::connect(&url).await?;
    let processors = thread::available_parallelism()?.get();
    let mut waits = Waits::default();
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut stopped => return Ok(waits),
            _ = ticks.tick() => {}
        }
        let is_idle = running()? < processors;
        let doing = sqlx::query_scalar(LOOK).fetch_one(&mut connection).await?;
        let looks = waits.0.entry(doing).or_default();
        looks.all += 1;
        looks.idle += u32::from(is_idle);
    }
}

/// How many threads of the machine run or could, without the one that asks (proc(5), loadavg).
fn running() -> anyhow::Result<usize> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let running = text.split_whitespace().nth(3);
    let (running, _) = running
        .and_then(|it| it.split_once('/'))
        .context("/proc/loadavg has no fourth field a/b")?;
    Ok(running.parse::<usize>()?.saturating_sub(1))
}

impl Waits {
    pub(crate) fn print(&self) {
        let all: u32 = self.0.values().map(|looks| looks.all).sum();
        let idle: u32 = self.0.values().map(|looks| looks.idle).sum();
        let share = |looks: u32| 100.0 * f64::from(looks) / f64::from(all.max(1));
        say(&format!(
            "  looked at {all} times, {:.1} % of them with an idle processor; what the services' connections waited for:",
            share(idle)
        ));
        let mut lines: Vec<(&String, &Looks)> = self.0.iter().collect();
        lines.sort_by_key(|(_, looks)| std::cmp::Reverse(looks.all));
        for (doing, looks) in lines.into_iter().take(LINES) {
            say(&format!(
                "    {:>5.1} %, {:>5.1} % with an idle processor  {doing}",
                share(looks.all),
                share(looks.idle)
            ));
        }
    }
}
