use wiremock::ResponseTemplate;

use crate::{
    graph::{Graph, refusal, unreadable},
    support::{HOUR, Lab, PDF, Stage, TOKEN, stage, with_pdf},
};

async fn lab_in_window(stage: &Stage) -> Lab {
    let lab = stage.lab().await;
    stage.window(&lab, 24 * HOUR).await;
    lab
}

#[tokio::test]
async fn a_file_is_uploaded_once_and_used_again() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = lab_in_window(&stage).await;
    // Of the first send, only the upload succeeds.
    graph.answer_send(refusal(131_016));
    let id = stage.accept(&lab, with_pdf()).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_attempts(id, 1).await;
    stage.clock.advance(HOUR);
    stage.until_state(id, "sent").await;
    engine.finish().await;

    let uploads = graph.uploads().await;
    assert_eq!(uploads.len(), 1);
    assert_eq!(
        uploads[0].headers["authorization"],
        format!("Bearer {TOKEN}")
    );
    let body = &uploads[0].body;
    assert!(body.windows(PDF.len()).any(|part| part == PDF));
    let sends = graph.sends().await;
    assert_eq!(sends.len(), 2);
    for send in sends {
        let sent = send.body_json::<serde_json::Value>().unwrap();
        assert_eq!(sent["document"]["id"], "media-1");
    }
}

#[tokio::test]
async fn an_upload_is_made_again_before_the_provider_forgets_the_file() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = lab_in_window(&stage).await;
    graph.answer_send(refusal(131_016));
    let id = stage.accept(&lab, with_pdf()).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_attempts(id, 1).await;
    stage
        .test
        .execute("UPDATE media_uploads SET expires_at = expires_at - interval '30 days'")
        .await;
    stage.clock.advance(HOUR);
    stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(graph.uploads().await.len(), 2);
    let last = graph.sends().await.pop().unwrap();
    let sent = last.body_json::<serde_json::Value>().unwrap();
    assert_eq!(sent["document"]["id"], "media-2");
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_made_again_and_nothing_is_in_doubt() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = lab_in_window(&stage).await;
    graph.answer_upload(unreadable());
    let id = stage.accept(&lab, with_pdf()).await;

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_attempts(id, 1).await;
    assert_eq!(row["state"], "queued");
    assert!(graph.sends().await.is_empty());
    stage.clock.advance(HOUR);
    stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(
        (graph.uploads().await.len(), graph.sends().await.len()),
        (2, 1)
    );
}

/// Nobody sends it again.
#[tokio::test]
async fn of_a_file_that_was_accepted_the_upload_is_not_kept() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = lab_in_window(&stage).await;
    let id = stage.accept(&lab, with_pdf()).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(graph.uploads().await.len(), 1);
    let kept = stage.test.rows("SELECT * FROM media_uploads").await;
    assert!(kept.is_empty(), "{kept:?}");
}

#[tokio::test]
async fn an_upload_that_is_refused_for_good_fails_the_message() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = lab_in_window(&stage).await;
    graph.answer_upload(refusal(131_053));
    let id = stage.accept(&lab, with_pdf()).await;

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_state(id, "failed").await;
    engine.finish().await;

    assert_eq!(row["failure"]["code"], 131_053);
    assert!(graph.sends().await.is_empty());
}

#[tokio::test]
async fn a_file_that_is_missing_is_looked_for_again_by_the_schedule() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = lab_in_window(&stage).await;
    let id = stage.accept(&lab, with_pdf()).await;
    stage
        .test
        .execute("UPDATE attachments SET id = gen_random_uuid()")
        .await;
    graph.answer_upload(ResponseTemplate::new(500));

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_attempts(id, 1).await;
    engine.finish().await;

    assert_eq!(row["state"], "queued");
    assert_eq!(stage.work(id).await.unwrap()["failures"], 1);
    assert!(graph.uploads().await.is_empty());
}
