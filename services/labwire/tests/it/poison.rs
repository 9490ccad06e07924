//! A report that takes its senders down.

use testkit::{eventually, rabbitmq::vhost};

use crate::{
    lab::{Lab, Terms, pdf, phone},
    platform::{LIMIT, Platform, end},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_poisonous_file_ends_among_the_dead_letters_and_is_sent_when_its_cause_is_gone() {
    let vhost = vhost().await;
    let platform = Platform::without_sender(&vhost).await;
    let lab = Lab::register(&platform, Terms::default()).await;
    let poisoned = platform.sender_process(&[("FAILPOINTS", "poison.file=panic:report 7")]);
    let (sick, well) = (
        lab.post(&phone(7), &pdf(7)).await,
        lab.post(&phone(1), &pdf(1)).await,
    );

    // Its neighbours do not suffer.
    lab.until_state(&well, "read").await;
    let letter = eventually(LIMIT, async || {
        // Each time it waits longer; nobody needs to wait for that here.
        let hurry = "update work set due_at = now() where kind = 'send' and state = 'waiting'";
        platform.database.execute(hurry).await;
        lab.dead_letters().await.pop()
    })
    .await;
    let status = lab.status(&sick).await;
    assert_eq!(
        (&status["status"], &status["attempts"]),
        (&"failed".into(), &5.into())
    );
    lab.until_told(&sick, "failed").await;
    let shown = platform.labwire(&["dead-letters", "show", &letter]);
    assert!(shown.contains(&sick), "{shown}");

    end(poisoned).await;
    let _mended = platform.sender_process(&[]);
    lab.replay(&letter).await;
    lab.until_state(&sick, "read").await;
    lab.until_told(&sick, "read").await;
    platform.until_idle().await;
    assert_eq!(platform.simulator.ledger().count(&sick), 1);
    assert_eq!(lab.dead_letters().await, Vec::<String>::new());
    platform.stop().await;
}
