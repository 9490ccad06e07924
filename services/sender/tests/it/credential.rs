use std::time::Duration;

use testkit::eventually;

use crate::{
    graph::{Graph, refusal},
    support::{Draft, LIMIT, Lab, Stage, TOKEN, stage},
};

const NEXT_TOKEN: &str = "EAAG-second-token";

async fn put_token(stage: &Stage, lab: &Lab) {
    let mut tx = stage.owner.begin().await.unwrap();
    stage.store_token(&mut tx, lab, NEXT_TOKEN).await;
    tx.commit().await.unwrap();
}

async fn tokens(graph: &Graph) -> Vec<String> {
    let sends = graph.sends().await;
    sends
        .iter()
        .map(|send| send.headers["authorization"].to_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_refused_token_pauses_the_number_until_a_new_one_is_stored() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_send(refusal(190));
    let (lab, id) = stage.text().await;

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_attempts(id, 1).await;

    assert_eq!(row["state"], "queued");
    let pauses = stage.pauses().await;
    assert_eq!(pauses.len(), 1);
    assert_eq!(pauses[0]["scope"], format!("credential:{}", lab.number));
    let work = stage.work(id).await.unwrap();
    assert_eq!(work["failures"], 0);
    assert_eq!(
        work["reason"],
        "waiting for a valid access token of this number"
    );

    // Another message does not get past the pause.
    let other = stage.accept(&lab, Draft::default()).await;
    engine.look().await;
    put_token(&stage, &lab).await;
    stage.until_state(id, "sent").await;
    stage.until_state(other, "sent").await;
    engine.finish().await;
    let (old, new) = (format!("Bearer {TOKEN}"), format!("Bearer {NEXT_TOKEN}"));
    assert_eq!(tokens(&graph).await, [old, new.clone(), new]);
}

#[tokio::test]
async fn a_token_that_comes_back_by_itself_is_found_by_one_message() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_send(refusal(190));
    graph.answer_send(refusal(190));
    let (lab, first) = stage.text().await;
    let engine = stage.engine(graph.client()).await;
    stage.until_attempts(first, 1).await;
    let second = stage.accept(&lab, Draft::default()).await;
    stage.clock.advance(Duration::from_secs(30));
    stage.until_attempts(first, 2).await;
    engine.look().await;
    assert_eq!(graph.sends().await.len(), 2);
    stage.clock.advance(Duration::from_mins(1));
    stage.until_state(first, "sent").await;
    stage.until_state(second, "sent").await;
    engine.finish().await;
    assert!(stage.pauses().await.is_empty());
}

#[tokio::test]
async fn a_number_without_a_token_waits_for_one() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (lab, id) = stage.text().await;
    stage.test.execute("DELETE FROM credentials").await;

    let engine = stage.engine(graph.client()).await;
    stage.until_attempts(id, 1).await;
    assert_eq!(stage.pauses().await.len(), 1);
    assert!(graph.sends().await.is_empty());
    put_token(&stage, &lab).await;
    stage.until_state(id, "sent").await;
    engine.finish().await;
}

#[tokio::test]
async fn a_token_that_was_replaced_before_its_refusal_is_recorded_pauses_nothing() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (lab, first) = stage.text().await;
    let engine = stage.engine(graph.client()).await;
    stage.until_state(first, "sent").await;
    // The sender still remembers the first token.
    stage.clock.advance(Duration::from_secs(1));
    put_token(&stage, &lab).await;
    graph.answer_send(refusal(190));

    let second = stage.accept(&lab, Draft::default()).await;
    stage.until_state(second, "sent").await;
    engine.finish().await;

    assert!(stage.pauses().await.is_empty());
    let (old, new) = (format!("Bearer {TOKEN}"), format!("Bearer {NEXT_TOKEN}"));
    assert_eq!(tokens(&graph).await, [old.clone(), old, new]);
}

#[tokio::test]
async fn a_refusal_waits_for_a_token_that_is_being_stored() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_send(refusal(190));
    let (lab, id) = stage.text().await;
    stage.clock.advance(Duration::from_secs(1));
    let mut tx = stage.owner.begin().await.unwrap();
    stage.store_token(&mut tx, &lab, NEXT_TOKEN).await;

    let engine = stage.engine(graph.client()).await;
    let waiting =
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database =
                   (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually(LIMIT, async || !stage.test.rows(waiting).await.is_empty()).await;
    tx.commit().await.unwrap();

    stage.until_state(id, "sent").await;
    engine.finish().await;
    assert!(stage.pauses().await.is_empty());
}
