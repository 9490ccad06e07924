use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dispatch::Handler as _;
use domain::{Decider, MessageId, UnconfirmedPolicy, WorkId};
use providers::{
    Accepted, MediaId, MediaUpload, OutboundMessage, Provider, SendError, Sender, Usage,
};
use serde_json::json;
use storage::work::find_dead_letters;
use testkit::eventually;
use tokio::sync::Notify;

use crate::{
    graph::{Graph, unreadable},
    support::{Draft, GRACE, HOUR, LEASE, LIMIT, Stage, stage, with_pdf},
};

/// As a sender leaves it that was killed with the message in its hands, long ago.
pub(crate) async fn leave_claimed(stage: &Stage, begun: bool) {
    let query = format!(
        "UPDATE work SET state = 'claimed', attempt = attempt + 1, begun = {begun}, lease_until = now() - interval '1 hour'"
    );
    stage.test.execute(&query).await;
}

#[tokio::test]
async fn a_send_whose_sender_died_before_the_call_is_done_by_another() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (_, id) = stage.text().await;
    leave_claimed(&stage, false).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_attempts(id, 1).await;
    stage.clock.advance(Duration::from_secs(2));
    stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(graph.sends().await.len(), 1);
}

#[tokio::test]
async fn a_send_whose_sender_died_in_the_call_is_unconfirmed_and_not_repeated() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (_, id) = stage.text().await;
    leave_claimed(&stage, true).await;

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_state(id, "unconfirmed").await;
    assert_eq!(row["attempts"], 1);
    stage.clock.advance(GRACE);
    stage.until_held(id).await;
    engine.finish().await;

    assert!(graph.sends().await.is_empty());
}

/// Whoever takes over what a lost sender had may be lost, too, or be too slow to say so before yet another takes over.
#[tokio::test]
async fn a_send_that_was_taken_over_twice_is_told_and_counted_once() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (_, id) = stage.text().await;
    leave_claimed(&stage, true).await;
    let handler = stage.handler(graph.client());
    let mut tx = stage.worker.begin().await.unwrap();
    let takers = [
        stage.take_over(&mut tx).await,
        stage.take_over(&mut tx).await,
    ];
    for claim in takers {
        let effect = handler.abandoned(&claim).await;
        handler
            .record(&mut tx, &[(claim, effect)], stage.now())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();

    let row = stage.state(id).await;
    assert_eq!((&row["attempts"], &row["resends"]), (&1.into(), &0.into()));
    assert_eq!(row["state"], "unconfirmed");
}

/// It may have been sent: that senders were lost while it waited says nothing about that.
#[tokio::test]
async fn a_send_in_doubt_does_not_fail_because_senders_were_lost() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (_, id) = stage.text().await;
    leave_claimed(&stage, true).await;
    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    engine.finish().await;
    leave_claimed(&stage, false).await;
    stage.test.execute("UPDATE work SET losses = 40").await;

    let engine = stage.engine(graph.client()).await;
    stage.until_held(id).await;
    engine.finish().await;

    assert_eq!(stage.state(id).await["state"], "unconfirmed");
    assert!(graph.sends().await.is_empty());
}

#[tokio::test]
async fn a_repetition_whose_sender_died_in_the_call_counts() {
    let (stage, graph) = (stage().await, Graph::start().await);
    graph.answer_sends(unreadable());
    let lab = stage.lab_with(UnconfirmedPolicy::Resend).await;
    stage.window(&lab, 24 * HOUR).await;
    let id = stage.accept(&lab, Draft::default()).await;
    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "unconfirmed").await;
    engine.finish().await;
    leave_claimed(&stage, true).await;

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_attempts(id, 2).await;
    engine.finish().await;

    assert_eq!(row["resends"], 1);
    let last = json!(["attempt", { "attempt": 3, "result": "unconfirmed", "resend": true }]);
    assert_eq!(stage.timeline(id).await.last(), Some(&last));
    assert_eq!(graph.sends().await.len(), 1);
}

/// After so many senders that were lost over it, somebody must look at it; and when the cause is gone, it is sent.
#[tokio::test]
async fn a_send_that_takes_its_senders_down_is_given_up_until_somebody_replays_it() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (_, id) = stage.text().await;
    stage.test.execute("UPDATE work SET losses = 19").await;
    leave_claimed(&stage, false).await;

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_state(id, "failed").await;
    // Ours to say, and to take back: the provider has said nothing.
    assert_eq!(
        (&row["failed_at"], &row["failure"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(row["given_up"]["class"], "permanent");
    let query = "SELECT id, reason FROM dead_letters";
    let letter = eventually(LIMIT, async || stage.test.rows(query).await.pop()).await;
    let reason = "given up: again and again its sender was lost while preparing it";
    assert_eq!(letter["reason"], reason);
    assert!(graph.sends().await.is_empty());

    let letter: uuid::Uuid = letter["id"].as_str().unwrap().parse().unwrap();
    let mut tx = stage.owner.begin().await.unwrap();
    let letters = find_dead_letters(&mut tx, &[WorkId::from_uuid(letter)])
        .await
        .unwrap();
    convergence::replay(&mut tx, letters, Decider::Operator, stage.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let row = stage.until_state(id, "sent").await;
    engine.finish().await;
    // Nothing was in doubt, so this repeats nothing.
    assert_eq!(row["resends"], 0);
    assert_eq!(graph.sends().await.len(), 1);
}

/// A provider whose uploads wait for the test.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Behind>);

#[derive(Default)]
struct Behind {
    uploads: AtomicUsize,
    sends: AtomicUsize,
    open: Notify,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.0.open.notify_waiters();
    }

    pub(crate) fn sends(&self) -> usize {
        self.0.sends.load(Ordering::SeqCst)
    }

    pub(crate) async fn until_uploads(&self, count: usize) {
        eventually(LIMIT, async || {
            self.0.uploads.load(Ordering::SeqCst) == count
        })
        .await;
    }
}

impl Provider for Gate {
    async fn send(&self, _: &Sender, _: &OutboundMessage) -> Result<Accepted, SendError> {
        let number = self.0.sends.fetch_add(1, Ordering::SeqCst);
        Ok(Accepted {
            wamid: format!("wamid.{number}"),
            wa_id: None,
            message_status: None,
            usage: Usage::default(),
            trace_id: None,
        })
    }

    async fn upload_media(&self, _: &Sender, _: MediaUpload) -> Result<MediaId, SendError> {
        self.0.uploads.fetch_add(1, Ordering::SeqCst);
        self.0.open.notified().await;
        Ok("media".to_owned())
    }
}

#[tokio::test]
async fn a_sender_that_lost_its_claim_does_not_call_the_provider() {
    let (stage, gate) = (stage().await, Gate::default());
    let lab = stage.lab().await;
    stage.window(&lab, HOUR).await;
    let id: MessageId = stage.accept(&lab, with_pdf()).await;
    let engine = stage.engine(gate.clone()).await;
    gate.until_uploads(1).await;

    // The upload took longer than the lease: the work is given to another.
    stage.clock.advance(LEASE + Duration::from_secs(1));
    stage.until_attempts(id, 1).await;
    stage.clock.advance(Duration::from_secs(2));
    gate.until_uploads(2).await;
    gate.open();
    stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(gate.sends(), 1);
    let attempts = stage.timeline(id).await;
    let accepted = attempts
        .iter()
        .filter(|line| line[1]["result"] == "accepted");
    assert_eq!(accepted.count(), 1);
}
