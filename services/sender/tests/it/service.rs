use queue::Broker;
use secrecy::ExposeSecret;
use sender::{Config, run};
use service_runtime::{
    Lifecycle,
    config::{Settings, Source},
};

use crate::{
    graph::Graph,
    support::{Draft, LIMIT, Stage, stage},
};

fn source(stage: &Stage, graph: &Graph) -> Source {
    Source::from_pairs([
        ("LABWIRE_POSTGRES__URL", stage.test.worker_url.as_str()),
        (
            "LABWIRE_VAULT__MASTER_KEYS",
            stage.master_keys.expose_secret(),
        ),
        ("LABWIRE_VAULT__INDEX_KEY", stage.index_key.expose_secret()),
        ("LABWIRE_ATTACHMENTS__URL", "file:///tmp"),
        ("LABWIRE_GRAPH__BASE_URL", graph.url().as_str()),
        ("LABWIRE_SENDER__EXPIRY_INTERVAL", "20ms"),
    ])
}

#[tokio::test]
async fn the_service_sends_and_expires_until_it_is_stopped() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let config = Config::from_source(&source(&stage, &graph)).unwrap();
    let lifecycle = Lifecycle::for_tests();
    run(&config, Broker::in_process(), &lifecycle).unwrap();
    lifecycle.until_ready().await;

    let (lab, sent) = stage.text().await;
    stage.until_state(sent, "sent").await;
    stage.test.execute("DELETE FROM credentials").await;
    let late = stage.accept(&lab, Draft::default()).await;
    stage
        .test
        .execute("UPDATE messages SET expires_at = now()")
        .await;
    stage.until_state(late, "expired").await;

    lifecycle.shutdown(LIMIT).await.unwrap();
}

#[test]
fn every_setting_says_what_it_is() {
    let settings = Config::describe();
    assert!(
        settings
            .iter()
            .any(|setting| setting.env() == "LABWIRE_SENDER__UNCONFIRMED_GRACE")
    );
    for setting in settings {
        assert!(!setting.doc.is_empty(), "{}", setting.key());
    }
}
