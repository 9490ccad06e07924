use convergence::{Fate, Resolution, resolve};
use domain::{Decider, MessageId, ReportedStatus, UnconfirmedPolicy};
use metrics_exporter_prometheus::PrometheusBuilder;
use sender::measure;
use serde_json::json;
use testkit::eventually;
use tokio::runtime;

use crate::{
    crashes::{Gate, leave_claimed},
    doubt::hear_of,
    graph::{Graph, unreadable},
    support::{Draft, GRACE, HOUR, LIMIT, Stage, stage, with_pdf},
};

async fn decide(stage: &Stage, id: MessageId, fate: Fate) {
    let mut tx = stage.owner.begin().await.unwrap();
    let resolution = resolve(&mut tx, id, fate, Decider::Operator, stage.now()).await;
    tx.commit().await.unwrap();
    assert_eq!(resolution.unwrap(), Resolution::Resolved);
}

/// What a scrape tells after all this has run on one thread.
fn scraped(run: impl AsyncFnOnce()) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(run()));
    handle.render()
}

#[track_caller]
fn assert_lines(scraped: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            scraped.lines().any(|it| it == *line),
            "{line} is not in:\n{scraped}"
        );
    }
}

#[tokio::test]
async fn a_parked_message_that_was_not_sent_is_sent_once_more_and_that_is_counted() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_send(unreadable());
    let (_, id) = stage.text().await;
    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    stage.clock.advance(GRACE);
    stage.until_held(id).await;

    decide(&stage, id, Fate::NotSent).await;
    let row = stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!((&row["resends"], &row["attempts"]), (&json!(1), &json!(2)));
    assert_eq!(row["unconfirmed_at"], json!(null));
    assert_eq!(graph.sends().await.len(), 2);
    let told = stage.timeline(id).await;
    assert_eq!(
        told[3],
        json!(["decision", { "decision": "not_sent", "by": "operator" }])
    );
    let accepted = &told[4][1];
    assert_eq!(
        (&accepted["result"], &accepted["resend"]),
        (&json!("accepted"), &json!(true))
    );
}

#[tokio::test]
async fn a_decision_that_it_was_sent_ends_all_waiting() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(unreadable());
    let (_, id) = stage.text().await;
    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;

    decide(&stage, id, Fate::Sent { wamid: None }).await;
    stage.clock.advance(2 * GRACE);
    engine.look().await;
    engine.finish().await;

    assert_eq!(stage.state(id).await["state"], "sent");
    assert_eq!(stage.work(id).await, None);
    assert_eq!(graph.sends().await.len(), 1);
}

#[tokio::test]
async fn a_decision_comes_too_late_for_a_message_past_its_lifetime() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(unreadable());
    let lab = stage.lab().await;
    stage.window(&lab, 24 * HOUR).await;
    let short = Draft {
        lifetime: HOUR,
        ..Draft::default()
    };
    let id = stage.accept(&lab, short).await;
    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    stage.clock.advance(HOUR);
    stage.until_held(id).await;

    decide(&stage, id, Fate::NotSent).await;
    stage.until_state(id, "expired").await;
    engine.finish().await;

    assert_eq!(graph.sends().await.len(), 1);
}

/// Nobody can be asked a second time about what was decided: it is in doubt no more.
#[tokio::test]
async fn a_decided_send_that_takes_its_senders_down_is_given_up() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (_, id) = stage.text().await;
    leave_claimed(&stage, true).await;
    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    engine.finish().await;
    decide(&stage, id, Fate::NotSent).await;
    leave_claimed(&stage, false).await;
    stage.test.execute("UPDATE work SET losses = 19").await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "failed").await;
    let letters = "SELECT 1 FROM dead_letters";
    eventually(LIMIT, async || stage.test.rows(letters).await.len() == 1).await;
    engine.finish().await;
    assert!(graph.sends().await.is_empty());
}

/// It has not left yet: its file is being uploaded when the status of the first try arrives.
#[tokio::test]
async fn a_repetition_that_a_status_makes_needless_does_not_leave() {
    let (stage, gate) = (stage().await, Gate::default());
    let lab = stage.lab().await;
    stage.window(&lab, 24 * HOUR).await;
    let id = stage.accept(&lab, with_pdf()).await;
    leave_claimed(&stage, true).await;
    let engine = stage.engine(gate.clone()).await;
    stage.until_state(id, "unconfirmed").await;
    decide(&stage, id, Fate::NotSent).await;
    gate.until_uploads(1).await;

    hear_of(&stage, id, ReportedStatus::Delivered).await;
    gate.open();
    eventually(LIMIT, async || stage.work(id).await.is_none()).await;
    engine.finish().await;

    assert_eq!(gate.sends(), 0);
    let row = stage.state(id).await;
    assert_eq!(
        (&row["state"], &row["resends"]),
        (&json!("delivered"), &json!(0))
    );
}

#[test]
fn repetitions_are_counted_by_whose_wish_they_were() {
    let scraped = scraped(async || {
        let (stage, graph) = (stage().await, Graph::start().await);
        graph.answer_send(unreadable());
        graph.answer_send(unreadable());
        let lab = stage.lab_with(UnconfirmedPolicy::Resend).await;
        stage.window(&lab, 24 * HOUR).await;
        let id = stage.accept(&lab, Draft::default()).await;
        let engine = stage.engine(graph.client()).await;
        stage.until_state(id, "unconfirmed").await;
        stage.clock.advance(GRACE);
        stage.until_attempts(id, 2).await;
        decide(&stage, id, Fate::NotSent).await;
        stage.until_state(id, "sent").await;
        engine.finish().await;
        assert_eq!(graph.sends().await.len(), 3);
    });
    assert_lines(
        &scraped,
        &[
            r#"labwire_resends_total{cause="policy"} 1"#,
            r#"labwire_resends_total{cause="operator"} 1"#,
        ],
    );
}

#[test]
fn what_waits_for_people_is_measured() {
    let scraped = scraped(async || {
        let (stage, graph) = (stage().await, Graph::start().await);
        graph.answer_sends(unreadable());
        let (lab, parked) = stage.text().await;
        let decided = stage.accept(&lab, Draft::default()).await;
        let engine = stage.engine(graph.client()).await;
        for id in [parked, decided] {
            stage.until_state(id, "unconfirmed").await;
        }
        stage.clock.advance(GRACE);
        for id in [parked, decided] {
            stage.until_held(id).await;
        }
        decide(&stage, decided, Fate::Sent { wamid: None }).await;
        let fresh = stage.accept(&lab, Draft::default()).await;
        stage.until_state(fresh, "unconfirmed").await;
        engine.finish().await;
        let bury = "INSERT INTO dead_letters (id, kind, flow, lane, subject, attempt, reason, created_at, died_at)
             VALUES (gen_random_uuid(), 'event', gen_random_uuid(), 1, gen_random_uuid(), 1, 'unreadable', now(), now())";
        stage.test.execute(bury).await;
        measure(&stage.worker, &*stage.clock).await.unwrap();
        // Once more: what is counted twice must not be added up.
        measure(&stage.worker, &*stage.clock).await.unwrap();
    });
    assert_lines(
        &scraped,
        &[
            "labwire_messages_unconfirmed 2",
            "labwire_messages_parked 1",
            r#"labwire_dead_letters{kind="send"} 0"#,
            r#"labwire_dead_letters{kind="event"} 1"#,
            r#"labwire_dead_letters{kind="callback"} 0"#,
            r#"labwire_decisions_total{decision="sent",kind="send"} 1"#,
        ],
    );
    let oldest = scraped
        .lines()
        .find_map(|line| line.strip_prefix("labwire_messages_parked_oldest_seconds "));
    let oldest: f64 = oldest.unwrap().parse().unwrap();
    assert!((600.0..660.0).contains(&oldest), "{oldest}");
    for stranger in ["msg_", "lab_", "wrk_"] {
        assert!(!scraped.contains(stranger), "{scraped}");
    }
}
