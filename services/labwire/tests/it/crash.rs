//! A sender that dies without a word.

use std::time::Duration;

use meta_simulator::{Effect, Fault};
use testkit::{eventually, rabbitmq::vhost};

use crate::{
    lab::{Lab, Terms},
    platform::Platform,
};

const REPORTS: usize = 40;
/// The dead sender's partitions are free after their lease.
const LIMIT: Duration = Duration::from_mins(1);
const QUICK: [(&str, &str); 2] = [
    ("LABWIRE_SENDER__CLAIM_LEASE", "3s"),
    ("LABWIRE_SENDER__UNCONFIRMED_GRACE", "2s"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_killed_in_the_middle_loses_nothing_and_sends_nothing_twice() {
    let vhost = vhost().await;
    let platform = Platform::without_sender(&vhost).await;
    let terms = Terms {
        rate_per_second: 20,
        burst: 5,
        unconfirmed_policy: "resend",
    };
    let lab = Lab::register(&platform, terms).await;
    // Keeps several sends in the air at any time: taken by the provider, not yet answered.
    let late = Fault::new(Effect::AnswerLate { ms: 400 });
    let late = platform.simulator.faults().add(late);
    let ids = lab.post_many(REPORTS).await;
    let ledger = platform.simulator.ledger();

    let mut first = platform.sender_process(&QUICK);
    eventually(LIMIT, async || ledger.total() >= 10).await;
    first.start_kill().unwrap();
    first.wait().await.unwrap();
    assert!(ledger.total() < REPORTS as u64, "it was killed too late");
    platform.simulator.faults().remove(late);

    let second = platform.sender_process(&QUICK);
    eventually(LIMIT, async || match lab.count("read").await {
        40 => Ok(()),
        read => Err(read),
    })
    .await;
    platform.until_idle().await;
    assert_eq!(ledger.duplicates(), []);
    for id in &ids {
        assert_eq!(ledger.count(id), 1, "{id}");
        lab.until_told(id, "read").await;
    }
    drop(second);
    platform.stop().await;
}
