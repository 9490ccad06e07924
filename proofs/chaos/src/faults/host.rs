use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    time::Duration,
};

use anyhow::Context as _;
use fastrand::Rng;
use stage::Service;
use tokio::time::sleep;

use super::{HOLD, processes::any};
use crate::world::World;

/// What may be wrong with a machine.
#[derive(Clone, Copy, Debug)]
pub(super) enum Host {
    /// One replica's clock differs by so many seconds.
    Clock(i64),
    /// Nothing more can be written where report files are kept.
    DiskFills,
}

const DRAIN: Duration = Duration::from_secs(20);

impl Host {
    pub(super) const ALL: [(&'static str, Self); 3] = [
        ("a clock is an hour ahead", Self::Clock(3600)),
        ("a clock is an hour behind", Self::Clock(-3600)),
        ("the disk of report files is full", Self::DiskFills),
    ];

    pub(super) async fn inject(self, world: &World, rng: &mut Rng) -> anyhow::Result<()> {
        match self {
            Self::Clock(seconds) => {
                let service = rng.choice(Service::ALL).context("there are services")?;
                let mut held = any(world, rng, service)?.hold().await;
                held.terminate(DRAIN).await?;
                held.start(&wrong_clock(seconds)?)?;
                sleep(HOLD * 2).await;
                held.kill().await?;
                held.start(&[])
            }
            Self::DiskFills => fill(world).await,
        }
    }
}

/// What makes a process read another time, and nothing but the time of day.
fn wrong_clock(seconds: i64) -> anyhow::Result<Vec<(&'static str, String)>> {
    let libraries = fs::read_dir("/usr/lib")?.flatten().map(|it| it.path());
    let library = libraries
        .map(|folder| folder.join("faketime/libfaketime.so.1"))
        .find(|library| library.exists())
        .context("libfaketime is missing: scripts/bootstrap faketime")?;
    Ok(vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", format!("{seconds:+}s")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
    ])
}

async fn fill(world: &World) -> anyhow::Result<()> {
    let filler = world.disk.join("filler");
    let mut file = OpenOptions::new().create(true).append(true).open(&filler)?;
    let block = vec![0; 64 * 1024];
    // Whole blocks first, then what is left.
    while file.write_all(&block).is_ok() {}
    while file.write_all(b"0").is_ok() {}
    sleep(HOLD).await;
    fs::remove_file(&filler).context("the filler could not be removed")
}
