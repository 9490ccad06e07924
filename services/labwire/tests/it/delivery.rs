//! The main job: from the LIMS to the patient's phone and back.

use meta_simulator::{Direction, Inbound, Status};
use sha2::{Digest as _, Sha256};
use testkit::{eventually, rabbitmq::vhost};

use crate::{
    lab::{Lab, NUMBER, Terms, pdf, phone},
    platform::{LIMIT, Platform},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_report_reaches_the_phone_and_its_fate_the_lims_within_one_process() {
    report_reaches_the_phone_and_its_fate_the_lims(Platform::in_one_process().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_reaches_the_phone_and_its_fate_the_lims_over_rabbitmq() {
    let vhost = vhost().await;
    report_reaches_the_phone_and_its_fate_the_lims(Platform::over_rabbitmq(&vhost).await).await;
}

async fn report_reaches_the_phone_and_its_fate_the_lims(platform: Platform) {
    let lab = Lab::register(&platform, Terms::default()).await;
    let id = lab.post("98765 50001", &pdf(1)).await;
    lab.until_state(&id, "read").await;

    let chat = platform.simulator.conversation(NUMBER, "+919876550001");
    let messages = chat.unwrap().messages;
    let [message] = &messages[..] else {
        panic!("{messages:?}");
    };
    let file = message.attachment.as_ref().unwrap();
    assert_eq!(message.status, Status::Read);
    assert_eq!(
        message.text,
        "Hello Meera Nair, your *Lipid Profile* report from Sunrise Diagnostics is ready. Please find it attached."
    );
    assert_eq!(file.filename.as_deref(), Some("lipids.pdf"));
    let sha256 = hex::encode(Sha256::digest(pdf(1)));
    assert_eq!(file.sha256.as_deref(), Some(&*sha256));

    lab.until_told(&id, "read").await;
    platform.until_idle().await;
    let status = lab.status(&id).await;
    let timeline = status["timeline"].as_array().unwrap();
    for kind in ["accepted", "attempt", "status", "callback"] {
        assert!(
            timeline.iter().any(|entry| entry["kind"] == kind),
            "{kind} is missing: {timeline:?}"
        );
    }
    assert_eq!(platform.simulator.ledger().count(&id), 1);
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_who_wrote_gets_the_next_report_without_a_template() {
    let platform = Platform::in_one_process().await;
    let lab = Lab::register(&platform, Terms::default()).await;
    let first = lab.post(&phone(2), &pdf(2)).await;
    lab.until_state(&first, "read").await;

    let reply = Inbound::text(NUMBER, phone(2), "धन्यवाद 🙏");
    platform.simulator.inbound(reply).unwrap();
    eventually(LIMIT, async || {
        lab.callbacks()
            .iter()
            .any(|callback| callback.kind == "message.received")
    })
    .await;

    let second = lab.post(&phone(2), &pdf(3)).await;
    lab.until_state(&second, "read").await;
    let kind_of = |id: &str| platform.simulator.ledger().find(id)[0].kind.clone();
    assert_eq!(kind_of(&first), "template");
    assert_eq!(kind_of(&second), "document");
    let chat = platform.simulator.conversation(NUMBER, &phone(2)).unwrap();
    let directions: Vec<Direction> = chat.messages.iter().map(|it| it.direction).collect();
    assert_eq!(
        directions,
        [Direction::Outbound, Direction::Inbound, Direction::Outbound]
    );
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_loses_everything_loses_nothing() {
    let vhost = vhost().await;
    let platform = Platform::over_rabbitmq(&vhost).await;
    let terms = Terms {
        rate_per_second: 10,
        burst: 2,
        ..Terms::default()
    };
    let lab = Lab::register(&platform, terms).await;
    let ids = lab.post_many(30).await;
    let ledger = platform.simulator.ledger();
    eventually(LIMIT, async || ledger.total() >= 8).await;

    vhost.wipe().await;

    eventually(LIMIT, async || match lab.count("read").await {
        30 => Ok(()),
        read => Err(read),
    })
    .await;
    for id in &ids {
        assert_eq!(ledger.count(id), 1);
        lab.until_told(id, "read").await;
    }
    platform.until_idle().await;
    platform.stop().await;
}
