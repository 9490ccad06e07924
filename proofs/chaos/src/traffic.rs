use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use meta_simulator::Recipient;
use stage::{Expect, Report};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::world::World;

/// In every patient's name: it must be found nowhere else.
pub(crate) const NAME: &str = "Qzxwvu";
/// How every phone begins: nor must they.
pub(crate) const PHONE: &str = "+9198";

pub(crate) fn patient(number: impl std::fmt::Display) -> String {
    format!("{NAME} Patient {number}")
}

/// Posts at a steady rate, whatever becomes of it, until it is told to stop and has posted `least`.
pub(crate) async fn flow(
    world: Arc<World>,
    (rate, least): (f64, usize),
    stop: Arc<AtomicBool>,
) -> usize {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut posts = JoinSet::new();
    let mut number = 0;
    while number < least || !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let report = report(&world, number);
        let world = Arc::clone(&world);
        posts.spawn(async move { post(&world, &report, number).await });
        while posts.try_join_next().is_some() {}
        number += 1;
    }
    posts.join_all().await;
    number
}

async fn post(world: &World, report: &Report, number: usize) {
    world.platform.lims.post(report).await;
    // Some LIMS never note that they were answered.
    if number % 10 == 3 {
        world.platform.lims.post(report).await;
    }
}

fn report(world: &World, number: usize) -> Report {
    // A few patients get several reports.
    let patient_number = if number % 20 == 19 {
        number - 19
    } else {
        number
    };
    let phone = format!("{PHONE}{patient_number:08}");
    let unreachable = patient_number % 50 == 7;
    if unreachable {
        world.platform.provider.simulator().describe(Recipient {
            on_whatsapp: false,
            ..Recipient::new(&*phone)
        });
    }
    let padding = if number.is_multiple_of(25) {
        64_000
    } else {
        900
    };
    Report {
        key: format!("report-{number}"),
        lab: patient_number % world.platform.labs.len(),
        phone,
        patient: patient(patient_number),
        file: Bytes::from(format!(
            "%PDF-1.7\n% report {number}\n% {}\n%%EOF\n",
            "x".repeat(padding)
        )),
        expect: if unreachable {
            Expect::Any
        } else {
            Expect::Delivered
        },
    }
}
