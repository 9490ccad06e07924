//! What the provider may do with its status webhooks, and does.

use std::collections::BTreeMap;

use meta_simulator::{Effect, Fault};
use rstest::rstest;
use testkit::eventually;

use crate::{
    lab::{Lab, Terms},
    platform::{LIMIT, Platform},
};

#[rstest]
#[case::come_four_times(Effect::Duplicate { copies: 3 })]
#[case::come_in_the_opposite_order(Effect::ReorderStatuses)]
#[case::come_many_at_once(Effect::BatchWebhooks { size: 12, ms: 200 })]
#[case::skip_one(Effect::SkipDelivered)]
#[case::come_before_the_answer(Effect::StatusBeforeAnswer)]
#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_the_same_and_told_once_when_statuses(#[case] effect: Effect) {
    let platform = Platform::in_one_process().await;
    let lab = Lab::register(&platform, Terms::default()).await;
    platform.simulator.faults().add(Fault::new(effect));
    let ids = lab.post_many(6).await;

    eventually(LIMIT, async || match lab.count("read").await {
        6 => Ok(()),
        read => Err(read),
    })
    .await;
    for id in &ids {
        lab.until_told(id, "read").await;
    }
    platform.until_idle().await;
    let mut told: BTreeMap<_, usize> = BTreeMap::new();
    for callback in lab.callbacks() {
        *told
            .entry((callback.message_id, callback.state))
            .or_default() += 1;
    }
    assert!(told.values().all(|times| *times == 1), "{told:?}");
    for id in &ids {
        assert_eq!(lab.state(id).await, "read");
        assert_eq!(platform.simulator.ledger().count(id), 1);
    }
    platform.stop().await;
}
