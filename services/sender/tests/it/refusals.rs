use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;

use crate::{
    graph::{Graph, refusal},
    support::{Draft, ECHO, HOUR, LIMIT, Lab, stage},
};

/// What a pause of a lab's sends is named.
type ScopeOf = fn(&Lab) -> String;

#[tokio::test]
async fn throttles_and_account_troubles_pause_just_what_they_name_and_spend_no_failure() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let engine = stage.engine(graph.client()).await;
    let number = |lab: &Lab| format!("number:{}", lab.number);
    let codes: [(i64, ScopeOf, Duration); 6] = [
        (130_429, number, Duration::from_secs(2)),
        (4, |_| "app:main".to_owned(), Duration::from_secs(5)),
        (80_007, |_| "account:200".to_owned(), Duration::from_secs(5)),
        (131_048, number, HOUR),
        (131_031, number, Duration::from_mins(5)),
        (133_016, number, 72 * HOUR),
    ];
    for (code, scope, pause) in codes {
        graph.answer_send(refusal(code));
        let (lab, id) = stage.text().await;

        let row = stage.until_attempts(id, 1).await;

        assert_eq!(row["state"], "queued", "{code}");
        let found = stage.pauses().await;
        let until = stage.now() + pause;
        assert_eq!(found.len(), 1, "{code}: {found:?}");
        assert_eq!(found[0]["scope"], scope(&lab));
        let paused_until: chrono::DateTime<chrono::Utc> =
            serde_json::from_value(found[0]["until"].clone()).unwrap();
        assert_eq!(paused_until, until, "{code}");
        assert_eq!(stage.work(id).await.unwrap()["failures"], 0, "{code}");
        stage
            .test
            .execute("DELETE FROM pauses; DELETE FROM work")
            .await;
    }
    engine.finish().await;
}

#[tokio::test]
async fn a_throttled_number_goes_on_when_its_pause_is_over() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_send(refusal(130_429));
    let (_, id) = stage.text().await;

    let engine = stage.engine(graph.client()).await;
    stage.until_attempts(id, 1).await;
    stage.clock.advance(Duration::from_secs(3));
    let row = stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(row["attempts"], 2);
    assert_eq!(graph.sends().await.len(), 2);
    // It works again: nothing is left that would make the next pause longer.
    assert!(stage.pauses().await.is_empty());
}

#[tokio::test]
async fn a_throttled_app_rests_with_all_its_numbers_and_one_of_them_tries_first() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_send(refusal(4));
    graph.answer_send(refusal(4));
    let (_, first) = stage.text().await;
    let engine = stage.engine(graph.client()).await;
    stage.until_attempts(first, 1).await;
    let (_, second) = stage.text().await;
    engine.look().await;
    assert_eq!(graph.sends().await.len(), 1);

    stage.clock.advance(Duration::from_secs(5));
    eventually(LIMIT, async || stage.pauses().await[0]["strikes"] == 2).await;
    engine.look().await;
    assert_eq!(graph.sends().await.len(), 2);
    stage.clock.advance(Duration::from_secs(10));
    stage.until_state(first, "sent").await;
    stage.until_state(second, "sent").await;
    engine.finish().await;
    assert_eq!(graph.sends().await.len(), 4);
    assert!(stage.pauses().await.is_empty());
}

#[tokio::test]
async fn a_pair_limit_delays_this_recipient_alone() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let engine = stage.engine(graph.client()).await;
    graph.answer_send(refusal(131_056));
    graph.answer_send(refusal(131_056));
    let (lab, id) = stage.text().await;

    stage.until_attempts(id, 1).await;
    stage.until_due_in(id, Duration::from_secs(1)).await;
    stage.clock.advance(Duration::from_secs(1));
    stage.until_attempts(id, 2).await;
    stage.until_due_in(id, Duration::from_secs(4)).await;
    assert_eq!(stage.work(id).await.unwrap()["failures"], 0);

    let same = stage.accept(&lab, Draft::default()).await;
    let (_, other) = stage.text().await;
    stage.until_state(other, "sent").await;
    engine.look().await;
    assert_eq!(stage.state(same).await["state"], "queued");
    assert_eq!(graph.sends().await.len(), 3);
    stage.clock.advance(Duration::from_secs(4));
    stage.until_state(id, "sent").await;
    stage.until_state(same, "sent").await;
    engine.finish().await;
    assert!(stage.pauses().await.is_empty());
}

#[tokio::test]
async fn a_fault_that_is_worth_four_tries_fails_after_them_whatever_was_before() {
    let (stage, graph) = (stage().await, Graph::start().await);
    for _ in 0..5 {
        graph.answer_send(refusal(2));
    }
    graph.answer_sends(refusal(131_000));
    let (_, id) = stage.text().await;

    let engine = stage.engine(graph.client()).await;
    for attempts in 1..=5 {
        stage.until_attempts(id, attempts).await;
        stage.clock.advance(Duration::from_mins(13));
    }
    for attempts in 6..9 {
        let row = stage.until_attempts(id, attempts).await;
        assert_eq!(row["state"], "queued");
        // Meanwhile a status would show that it was taken after all.
        assert!(stage.due_in(id).await >= ECHO);
        stage.clock.advance(Duration::from_mins(13));
    }
    let row = stage.until_state(id, "failed").await;
    engine.finish().await;

    assert_eq!(graph.sends().await.len(), 9);
    let cause = &row["failure"];
    assert_eq!(
        (&cause["code"], &cause["class"]),
        (&json!(131_000), &json!("retry"))
    );
    let detail = cause["detail"].as_str().unwrap();
    assert!(detail.starts_with("given up after 4 tries: "), "{detail}");
    assert_eq!(stage.work(id).await, None);
}

#[tokio::test]
async fn a_fault_that_will_pass_is_waited_out_for_the_lifetime_of_the_message() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(refusal(131_016));
    let (_, id) = stage.text().await;

    let engine = stage.engine(graph.client()).await;
    for attempts in 1..=10 {
        let row = stage.until_attempts(id, attempts).await;
        assert_eq!(row["state"], "queued");
        stage.clock.advance(Duration::from_mins(13));
    }
    stage.until_attempts(id, 11).await;
    stage.clock.advance(24 * HOUR);
    stage.until_state(id, "expired").await;
    engine.finish().await;

    assert_eq!(graph.sends().await.len(), 11);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_asked_again() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (_, id) = stage.text().await;
    let nobody = crate::graph::client("http://127.0.0.1:1", HOUR);

    let engine = stage.engine(nobody).await;
    let row = stage.until_attempts(id, 1).await;
    engine.finish().await;
    assert_eq!(row["state"], "queued");
    assert_eq!(
        stage.work(id).await.unwrap()["reason"],
        "the provider could not be reached"
    );

    let engine = stage.engine(graph.client()).await;
    stage.clock.advance(Duration::from_secs(2));
    stage.until_state(id, "sent").await;
    engine.finish().await;
}

#[tokio::test]
async fn a_paused_template_holds_its_messages_until_it_is_back() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    let template = stage.template(&lab, ("ready", "en", "none"), &[]).await;
    graph.answer_send(refusal(132_015));
    let id = stage.accept(&lab, Draft::default()).await;

    let engine = stage.engine(graph.client()).await;
    let held = stage.until_held(id).await;

    let scope = domain::Scope::template(template);
    assert_eq!(held["hold_scope"], scope.as_str());
    assert!(
        held["reason"]
            .as_str()
            .unwrap()
            .contains("paused the template")
    );
    assert_eq!(stage.state(id).await["state"], "queued");
    let mut tx = stage.worker.begin().await.unwrap();
    let now = stage.now();
    storage::work::resume(&mut tx, &scope, now).await.unwrap();
    tx.commit().await.unwrap();
    stage.until_state(id, "sent").await;
    engine.finish().await;
}

/// Should the provider's webhook that says so be lost.
#[tokio::test]
async fn a_paused_template_is_tried_by_one_message_and_lets_all_go_on_when_it_is_back() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage.template(&lab, ("ready", "en", "none"), &[]).await;
    for _ in 0..4 {
        graph.answer_send(refusal(132_015));
    }
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(stage.accept(&lab, Draft::default()).await);
    }
    let engine = stage.engine(graph.client()).await;
    for id in &ids {
        stage.until_held(*id).await;
    }
    stage.clock.advance(Duration::from_mins(10));
    eventually(LIMIT, async || graph.sends().await.len() == 4).await;
    for id in &ids {
        stage.until_held(*id).await;
    }
    engine.look().await;
    assert_eq!(graph.sends().await.len(), 4);
    stage.clock.advance(Duration::from_mins(20));
    for id in ids {
        stage.until_state(id, "sent").await;
    }
    engine.finish().await;
    assert_eq!(graph.sends().await.len(), 7);
    assert!(stage.pauses().await.is_empty());
}

#[tokio::test]
async fn what_can_never_succeed_fails_at_once_with_its_cause() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage.template(&lab, ("ready", "en", "none"), &[]).await;
    let engine = stage.engine(graph.client()).await;
    let codes = [
        (132_000, "template"),
        (132_016, "template"),
        (131_008, "permanent"),
        (131_047, "policy"),
        (131_026, "unreachable"),
    ];
    for (code, class) in codes {
        graph.answer_send(refusal(code));
        let id = stage.accept(&lab, Draft::default()).await;

        let row = stage.until_state(id, "failed").await;

        let cause = &row["failure"];
        assert_eq!(
            (&cause["code"], &cause["class"]),
            (&json!(code), &json!(class))
        );
        assert_eq!(stage.work(id).await, None);
        let failed = json!(["attempt", {
            "attempt": 1, "result": "failed", "code": code, "class": class,
        }]);
        let timeline: Vec<Value> = stage.timeline(id).await;
        assert_eq!(timeline.last(), Some(&failed));
    }
    assert_eq!(graph.sends().await.len(), codes.len());
    engine.finish().await;
}
