use callback_worker::{Config, run};
use queue::Broker;
use secrecy::ExposeSecret;
use service_runtime::{
    Lifecycle,
    config::{Settings, Source},
};
use testkit::{Receiver, eventually};

use crate::support::{LIMIT, Stage, stage};

fn source(stage: &Stage) -> Source {
    Source::from_pairs([
        ("LABWIRE_POSTGRES__URL", stage.test.worker_url.as_str()),
        (
            "LABWIRE_VAULT__MASTER_KEYS",
            stage.master_keys.expose_secret(),
        ),
        ("LABWIRE_VAULT__INDEX_KEY", stage.index_key.expose_secret()),
        ("LABWIRE_CALLBACKS__ALLOW_LOOPBACK", "true"),
    ])
}

#[tokio::test]
async fn the_service_delivers_until_it_is_stopped() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    let config = Config::from_source(&source(&stage)).unwrap();
    let lifecycle = Lifecycle::for_tests();

    run(&config, Broker::in_process(), &lifecycle).unwrap();
    lifecycle.until_ready().await;
    stage.enqueue(&lab, None).await;
    lims.wait_for(1, LIMIT).await;
    eventually(LIMIT, async || {
        stage.test.rows("SELECT * FROM work").await.is_empty()
    })
    .await;

    lifecycle.shutdown(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_callback_under_way_is_finished_before_the_end() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    lims.answer_all(testkit::receiver::Answer::Never);
    let source = source(&stage).with_pairs([("LABWIRE_CALLBACKS__TIMEOUT", "1s")]);
    let config = Config::from_source(&source).unwrap();
    let lifecycle = Lifecycle::for_tests();
    run(&config, Broker::in_process(), &lifecycle).unwrap();
    stage.enqueue(&lab, None).await;
    lims.wait_for(1, LIMIT).await;

    lifecycle.shutdown(LIMIT).await.unwrap();

    let query = "SELECT last_error FROM callback_deliveries";
    let row = stage.row(query).await;
    assert_eq!(row["last_error"], "the endpoint did not answer in time");
}
