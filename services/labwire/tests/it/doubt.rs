//! Sends whose answer nobody saw.

use meta_simulator::{Effect, Fault};

use crate::{
    lab::{Lab, Terms, pdf, phone},
    platform::Platform,
};

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
