use std::time::Duration;

use callback_worker::{CallbackHandler, Effect};
use dispatch::{Claim, Handler, Outcome};
use serde_json::json;
use storage::messages::list_timeline;
use testkit::{Receiver, receiver::Answer};

use crate::support::{LIMIT, PAYLOAD, Stage, deliver, stage, webhook_id};

async fn record(
    stage: &Stage,
    handler: &CallbackHandler,
    effects: &[(Claim, Effect)],
) -> Vec<Outcome> {
    let mut tx = stage.worker.begin().await.unwrap();
    let outcomes = handler.record(&mut tx, effects, stage.now()).await.unwrap();
    tx.commit().await.unwrap();
    outcomes
}

#[tokio::test]
async fn attempts_are_recorded_and_the_message_remembers_them() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    let handler = stage.handler(&[]);
    let mut claim = stage.callback(&lab, PAYLOAD).await;
    lims.answer_next(Answer::status(500));

    let effect = deliver(&handler, &claim).await;
    let outcomes = record(&stage, &handler, &[(claim.clone(), effect)]).await;
    assert!(
        matches!(&outcomes[..], [Outcome::Retry { failed: true, .. }]),
        "{outcomes:?}"
    );
    let query = "SELECT attempts, last_status, last_error, delivered_at IS NOT NULL AS delivered FROM callback_deliveries";
    assert_eq!(
        stage.row(query).await,
        json!({ "attempts": 1, "last_status": 500, "last_error": "the endpoint answered 500", "delivered": false })
    );

    stage.clock.advance(Duration::from_secs(5));
    claim.attempt = 2;
    let effect = deliver(&handler, &claim).await;
    let outcomes = record(&stage, &handler, &[(claim.clone(), effect)]).await;
    assert_eq!(outcomes, [Outcome::Done]);
    assert_eq!(
        stage.row(query).await,
        json!({ "attempts": 2, "last_status": 200, "last_error": null, "delivered": true })
    );

    let mut connection = stage.worker.acquire().await.unwrap();
    let timeline = list_timeline(&mut connection, lab.message).await.unwrap();
    assert_eq!(timeline[1].at, stage.now());
    let told: Vec<_> = timeline
        .into_iter()
        .map(|it| (it.kind, it.detail))
        .collect();
    let entry = |attempt: i32, result: &str, status: u16, error: Option<&str>| {
        let detail = json!({
            "delivery_id": webhook_id(&claim), "type": "message.delivered", "attempt": attempt,
            "result": result, "status": status, "error": error,
        });
        ("callback".to_owned(), detail)
    };
    assert_eq!(
        told,
        [
            entry(1, "retry", 500, Some("the endpoint answered 500")),
            entry(2, "delivered", 200, None),
        ]
    );
}

#[tokio::test]
async fn outcomes_come_in_the_order_of_their_claims() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    let handler = stage.handler(&[]);
    let mut effects = Vec::new();
    for status in [200, 500, 410] {
        lims.answer_next(Answer::status(status));
        let claim = stage.callback(&lab, PAYLOAD).await;
        let effect = deliver(&handler, &claim).await;
        effects.push((claim, effect));
    }
    let lost = stage.callback(&lab, PAYLOAD).await;
    let effect = handler.abandoned(&lost).await;
    effects.push((lost.clone(), effect));

    let outcomes = record(&stage, &handler, &effects).await;

    assert!(
        matches!(
            &outcomes[..],
            [
                Outcome::Done,
                Outcome::Retry { failed: true, .. },
                Outcome::Dead { .. },
                Outcome::Retry { failed: false, after, .. },
            ] if *after < LIMIT
        ),
        "{outcomes:?}"
    );
    let untouched = format!(
        "SELECT attempts FROM callback_deliveries WHERE id = '{}'",
        lost.subject
    );
    assert_eq!(stage.row(&untouched).await, json!({ "attempts": 0 }));
}

#[tokio::test]
async fn a_callback_about_no_message_leaves_no_timeline() {
    let (stage, lims) = (stage().await, Receiver::start().await);
    let lab = stage.lab(&lims.url("/")).await;
    let handler = stage.handler(&[]);
    let claim = stage.callback(&lab, PAYLOAD).await;
    let forget = "UPDATE callback_deliveries SET message_id = NULL";
    stage.test.execute(forget).await;

    let effect = deliver(&handler, &claim).await;
    let outcomes = record(&stage, &handler, &[(claim, effect)]).await;

    assert_eq!(outcomes, [Outcome::Done]);
    let count = "SELECT count(*) AS entries FROM timeline";
    assert_eq!(stage.row(count).await, json!({ "entries": 0 }));
}
