//! Sends whose answer nobody saw.

use meta_simulator::{Effect, Fault};
use testkit::rabbitmq::vhost;

use crate::{
    lab::{Lab, Terms, pdf, phone},
    platform::Platform,
};

const SHORT_GRACE: (&str, &str) = ("LABWIRE_SENDER__UNCONFIRMED_GRACE", "1s");

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_was_taken_without_an_answer_is_unconfirmed_until_its_status_comes() {
    let platform = Platform::in_one_process().await;
    let lab = Lab::register(&platform, Terms::default()).await;
    let faults = platform.simulator.faults();
    faults.add(Fault::new(Effect::AcceptThenDrop));
    faults.add(Fault::new(Effect::DelayWebhooks { ms: 1500 }));

    let id = lab.post(&phone(1), &pdf(1)).await;
    lab.until_state(&id, "unconfirmed").await;
    let waiting = lab.status(&id).await["waiting"]["reason"].clone();
    assert_eq!(
        waiting,
        "waiting to hear whether the provider took the message"
    );
    lab.until_state(&id, "read").await;

    lab.until_told(&id, "read").await;
    platform.until_idle().await;
    assert!(
        lab.callbacks()
            .iter()
            .any(|callback| callback.is_of(&id, "unconfirmed"))
    );
    let status = lab.status(&id).await;
    assert_eq!(
        (&status["attempts"], &status["resends"]),
        (&1.into(), &0.into())
    );
    assert_eq!(platform.simulator.ledger().count(&id), 1);
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_of_which_nothing_is_ever_heard_is_parked_until_somebody_knows_that_it_was_sent() {
    let platform = Platform::in_one_process_told(&[SHORT_GRACE]).await;
    let lab = Lab::register(&platform, Terms::default()).await;
    let faults = platform.simulator.faults();
    faults.add(Fault::new(Effect::AcceptThenDrop));
    faults.add(Fault::new(Effect::NoStatuses));
    let id = lab.post(&phone(1), &pdf(1)).await;
    lab.until_parked(&id).await;

    assert_eq!(lab.resolve(&id, "sent").await, "sent");
    lab.until_told(&id, "sent").await;
    platform.until_idle().await;
    let status = lab.status(&id).await;
    assert_eq!(
        (&status["attempts"], &status["resends"]),
        (&1.into(), &0.into())
    );
    assert_eq!(platform.simulator.ledger().count(&id), 1);
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_the_provider_never_took_is_sent_once_after_somebody_said_so() {
    let platform = Platform::in_one_process_told(&[SHORT_GRACE]).await;
    let lab = Lab::register(&platform, Terms::default()).await;
    let reset = Fault::new(Effect::RejectAfterBody).times(1);
    platform.simulator.faults().add(reset);
    let id = lab.post(&phone(1), &pdf(1)).await;
    lab.until_parked(&id).await;
    assert_eq!(platform.simulator.ledger().count(&id), 0);

    let listed = platform.labwire(&["unconfirmed", "list", "--parked"]);
    assert!(listed.contains(&id), "{listed}");
    platform.labwire(&["unconfirmed", "resolve", &id, "--as", "not-sent"]);
    lab.until_state(&id, "read").await;
    lab.until_told(&id, "read").await;
    platform.until_idle().await;
    let status = lab.status(&id).await;
    assert_eq!(
        (&status["attempts"], &status["resends"]),
        (&2.into(), &1.into())
    );
    assert_eq!(platform.simulator.ledger().count(&id), 1);
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_dies_before_its_call_leaves_a_doubt_that_somebody_ends() {
    let vhost = vhost().await;
    let platform = Platform::without_sender(&vhost).await;
    let lab = Lab::register(&platform, Terms::default()).await;
    let quick = ("LABWIRE_SENDER__CLAIM_LEASE", "2s");
    let id = lab.post(&phone(1), &pdf(1)).await;

    let dies = ("FAILPOINTS", "act.begun=abort");
    let mut first = platform.sender_process(&[quick, SHORT_GRACE, dies]);
    assert!(!first.wait().await.unwrap().success());
    // Nobody needs to wait here until the dead one's partitions are free.
    let free = "delete from partition_owners where kind = 'send'";
    platform.database.execute(free).await;
    let _second = platform.sender_process(&[quick, SHORT_GRACE]);
    lab.until_parked(&id).await;
    assert_eq!(platform.simulator.ledger().count(&id), 0);

    assert_eq!(lab.resolve(&id, "not_sent").await, "queued");
    lab.until_state(&id, "read").await;
    platform.until_idle().await;
    assert_eq!(platform.simulator.ledger().count(&id), 1);
    platform.stop().await;
}
