use std::time::Duration;

use convergence::{Learned, learn};
use domain::{MessageId, ReportedStatus, StatusReport, UnconfirmedPolicy};
use serde_json::json;
use storage::messages::lock_states;
use testkit::eventually;

use crate::{
    graph::{Graph, Slammer, accepted, client, refusal, unreadable},
    support::{Draft, GRACE, HOUR, LIMIT, Lab, Stage, stage},
};

/// A lab whose messages in doubt are sent again.
async fn insistent_lab(stage: &Stage) -> Lab {
    let lab = stage.lab_with(UnconfirmedPolicy::Resend).await;
    stage.window(&lab, 24 * HOUR).await;
    lab
}

fn status(stage: &Stage, id: MessageId, status: ReportedStatus) -> Learned {
    let report = StatusReport {
        status,
        at: stage.now(),
        cause: None,
    };
    Learned {
        reports: vec![report],
        ..Learned::about(id)
    }
}

pub(crate) async fn hear_of(stage: &Stage, id: MessageId, reported: ReportedStatus) {
    let learned = status(stage, id, reported);
    let mut tx = stage.worker.begin().await.unwrap();
    learn(&mut tx, vec![learned], stage.now()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_the_message_unconfirmed_and_then_parks_it() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(unreadable());
    let (_, id) = stage.text().await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    let work = stage.work(id).await.unwrap();
    assert_eq!(
        work["reason"],
        "waiting to hear whether the provider took the message"
    );
    assert_eq!(work["failures"], 0);
    assert_eq!(stage.due_in(id).await, GRACE);
    stage.clock.advance(GRACE);
    let held = stage.until_held(id).await;
    engine.finish().await;

    assert_eq!(held["hold_scope"], format!("message:{id}"));
    assert!(
        held["reason"]
            .as_str()
            .unwrap()
            .contains("waiting for a decision")
    );
    assert_eq!(stage.state(id).await["state"], "unconfirmed");
    assert_eq!(graph.sends().await.len(), 1);
    let timeline = stage.timeline(id).await;
    assert_eq!(
        timeline[1],
        json!(["attempt", { "attempt": 1, "result": "unconfirmed", "resend": false }])
    );
    assert_eq!(timeline[2][0], "held");
}

#[tokio::test]
async fn an_answer_that_does_not_come_leaves_the_message_unconfirmed() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(accepted("wamid.late").set_delay(HOUR));
    let (_, id) = stage.text().await;

    let engine = stage
        .engine(client(&graph.url(), Duration::from_millis(300)))
        .await;
    stage.until_state(id, "unconfirmed").await;
    engine.finish().await;

    assert_eq!(graph.sends().await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_is_lost_after_the_request_leaves_the_message_unconfirmed() {
    let (stage, slammer) = (stage().await, Slammer::start().await);
    let (_, id) = stage.text().await;

    let engine = stage
        .engine(client(&slammer.url, Duration::from_secs(10)))
        .await;
    stage.until_state(id, "unconfirmed").await;
    engine.finish().await;

    assert_eq!(*slammer.taken.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_send_whose_fate_came_while_a_lost_sender_had_it_leaves_no_work() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (_, id) = stage.text().await;
    let lost = "UPDATE work SET state = 'claimed', attempt = attempt + 1, begun = true, lease_until = now() - interval '1 hour'";
    stage.test.execute(lost).await;
    hear_of(&stage, id, ReportedStatus::Delivered).await;

    let engine = stage.engine(graph.client()).await;
    eventually(LIMIT, async || stage.work(id).await.is_none()).await;
    engine.finish().await;

    assert_eq!(stage.state(id).await["state"], "delivered");
    assert!(graph.sends().await.is_empty());
}

#[tokio::test]
async fn a_lab_that_wants_it_gets_messages_in_doubt_again_counted_and_not_for_ever() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(unreadable());
    let lab = insistent_lab(&stage).await;
    let id = stage.accept(&lab, Draft::default()).await;

    let engine = stage.engine(graph.client()).await;
    for attempts in 1..=3 {
        let row = stage.until_attempts(id, attempts).await;
        assert_eq!(row["resends"], attempts - 1);
        assert_eq!(stage.due_in(id).await, GRACE);
        stage.clock.advance(GRACE);
    }
    stage.until_held(id).await;
    engine.finish().await;

    assert_eq!(graph.sends().await.len(), 3);
    assert_eq!(stage.state(id).await["resends"], 2);
    let last = json!(["attempt", { "attempt": 3, "result": "unconfirmed", "resend": true }]);
    assert_eq!(stage.timeline(id).await[3], last);
}

#[tokio::test]
async fn a_message_sent_again_with_success_is_sent() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_send(unreadable());
    let lab = insistent_lab(&stage).await;
    let id = stage.accept(&lab, Draft::default()).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    stage.clock.advance(GRACE);
    let row = stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!((&row["resends"], &row["attempts"]), (&json!(1), &json!(2)));
    assert_eq!(stage.work(id).await, None);
}

#[tokio::test]
async fn a_repetition_that_was_refused_does_not_count_as_one() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_send(unreadable());
    graph.answer_send(refusal(131_016));
    let lab = insistent_lab(&stage).await;
    let id = stage.accept(&lab, Draft::default()).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    stage.clock.advance(GRACE);
    let row = stage.until_attempts(id, 2).await;
    assert_eq!(
        (&row["resends"], &row["state"]),
        (&json!(0), &json!("unconfirmed"))
    );
    stage.clock.advance(GRACE);
    let row = stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(row["resends"], 1);
}

#[tokio::test]
async fn news_of_a_message_in_doubt_ends_the_waiting_and_nothing_is_sent_again() {
    for status in [
        ReportedStatus::Sent,
        ReportedStatus::Delivered,
        ReportedStatus::Failed,
    ] {
        let (stage, graph) = (stage().await, Graph::start().await);
        graph.answer_sends(unreadable());
        let lab = insistent_lab(&stage).await;
        let id = stage.accept(&lab, Draft::default()).await;
        let engine = stage.engine(graph.client()).await;
        stage.until_state(id, "unconfirmed").await;

        hear_of(&stage, id, status).await;

        assert_eq!(stage.state(id).await["state"], status.as_str());
        assert_eq!(stage.work(id).await, None);
        stage.clock.advance(2 * GRACE);
        engine.finish().await;
        assert_eq!(graph.sends().await.len(), 1);
    }
}

/// The status comes while a sender finds out that nothing was heard: its finding is old when it is written down.
#[tokio::test]
async fn a_message_whose_status_comes_while_it_is_being_parked_is_not_parked() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(unreadable());
    let (_, id) = stage.text().await;
    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;

    let mut coming = stage.worker.begin().await.unwrap();
    lock_states(&mut coming, &[id]).await.unwrap();
    stage.clock.advance(GRACE);
    let waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";
    eventually(LIMIT, async || !stage.test.rows(waits).await.is_empty()).await;
    learn(
        &mut coming,
        vec![status(&stage, id, ReportedStatus::Delivered)],
        stage.now(),
    )
    .await
    .unwrap();
    coming.commit().await.unwrap();

    eventually(LIMIT, async || stage.work(id).await.is_none()).await;
    engine.finish().await;
    assert_eq!(stage.state(id).await["state"], "delivered");
}

#[tokio::test]
async fn a_message_in_doubt_is_not_sent_again_after_its_lifetime() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(unreadable());
    let lab = insistent_lab(&stage).await;
    let short = Draft {
        lifetime: Duration::from_mins(5),
        ..Draft::default()
    };
    let id = stage.accept(&lab, short).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    stage.clock.advance(GRACE);
    stage.until_held(id).await;
    engine.finish().await;

    assert_eq!(graph.sends().await.len(), 1);
}
