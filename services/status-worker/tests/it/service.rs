use queue::Broker;
use secrecy::ExposeSecret;
use service_runtime::{
    Lifecycle,
    config::{Settings, Source},
};
use status_worker::{Config, run};
use testkit::eventually;

use crate::support::{LIMIT, Stage, change, echoing, envelope, stage, status};

fn source(stage: &Stage) -> Source {
    Source::from_pairs([
        ("LABWIRE_POSTGRES__URL", stage.test.worker_url.as_str()),
        (
            "LABWIRE_VAULT__MASTER_KEYS",
            stage.master_keys.expose_secret(),
        ),
        ("LABWIRE_VAULT__INDEX_KEY", stage.index_key.expose_secret()),
        ("LABWIRE_RETENTION__KEEP", "1d"),
        ("LABWIRE_RETENTION__INTERVAL", "20ms"),
    ])
}

#[tokio::test]
async fn the_service_applies_events_although_its_retention_is_refused() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let id = stage.message(&lab).await;
    let config = Config::from_source(&source(&stage)).unwrap();
    let lifecycle = Lifecycle::for_tests();
    run(&config, Broker::in_process(), &lifecycle).unwrap();
    lifecycle.until_ready().await;

    let sent = echoing(status(&stage, "wamid.A", "sent", 0), id);
    let body = envelope(&[change(&lab, "statuses", &[sent])]).to_string();
    stage.receive(&[body.as_bytes()]).await;
    eventually(LIMIT, async || stage.state(id).await["state"] == "sent").await;
    // It is still looking after the partitions, refusal after refusal.
    for _ in 0..2 {
        let last = "SELECT max(inhrelid::regclass::text) AS name FROM pg_inherits WHERE inhparent = 'events'::regclass";
        let row = stage.test.rows(last).await.remove(0);
        let name = row["name"].as_str().unwrap().to_owned();
        stage.test.execute(&format!("DROP TABLE {name}")).await;
        let is_back = format!("SELECT 1 FROM pg_class WHERE relname = '{name}'");
        eventually(LIMIT, async || stage.test.rows(&is_back).await.len() == 1).await;
    }

    lifecycle.shutdown(LIMIT).await.unwrap();
}

#[test]
fn every_setting_says_what_it_is() {
    let settings = Config::describe();
    assert!(
        settings
            .iter()
            .any(|setting| setting.env() == "LABWIRE_RETENTION__KEEP")
    );
    for setting in settings {
        assert!(!setting.doc.is_empty(), "{}", setting.key());
    }
}
