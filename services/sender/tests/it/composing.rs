use std::time::Duration;

use domain::Language;
use serde_json::json;

use crate::{
    graph::Graph,
    support::{Draft, FILENAME, HOUR, PNG, TEXT, stage, with_pdf},
};

const PARAMETERS: [&str; 3] = ["test_name", "patient_name", "lab_name"];

#[tokio::test]
async fn outside_the_window_a_template_is_sent_with_its_parameters_in_order() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage
        .template(&lab, ("report_ready", "en_US", "document"), &PARAMETERS)
        .await;
    let id = stage.accept(&lab, with_pdf()).await;

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(
        graph.only_send().await,
        json!({
            "messaging_product": "whatsapp", "recipient_type": "individual", "to": "+919876543210",
            "biz_opaque_callback_data": id, "type": "template",
            "template": {
                "name": "report_ready", "language": { "code": "en_US" },
                "components": [
                    { "type": "header", "parameters": [
                        { "type": "document", "document": { "id": "media-1", "filename": FILENAME } },
                    ]},
                    { "type": "body", "parameters": [
                        { "type": "text", "parameter_name": "test_name", "text": "CBC" },
                        { "type": "text", "parameter_name": "patient_name", "text": "Asha Rao" },
                        { "type": "text", "parameter_name": "lab_name", "text": "Sunrise Diagnostics" },
                    ]},
                ],
            },
        })
    );
    assert_eq!(
        (&row["wamid"], &row["attempts"]),
        (&json!("wamid.1"), &json!(1))
    );
    assert_eq!(stage.work(id).await, None);
}

#[tokio::test]
async fn the_template_is_in_the_language_of_the_report() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage.template(&lab, ("ready", "en", "none"), &[]).await;
    stage.template(&lab, ("ready", "hi", "none"), &[]).await;
    let hindi = Draft {
        language: Language::Hindi,
        ..Draft::default()
    };
    let id = stage.accept(&lab, hindi).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "sent").await;
    engine.finish().await;

    let sent = graph.only_send().await;
    assert_eq!(sent["template"]["language"]["code"], "hi");
}

#[tokio::test]
async fn a_template_that_the_report_cannot_fill_gives_way_to_one_that_it_can() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage
        .template(&lab, ("by_doctor", "en", "none"), &["doctor_name"])
        .await;
    stage
        .template(&lab, ("ready", "en", "none"), &["test_name"])
        .await;
    let anonymous = Draft {
        doctor: None,
        ..Draft::default()
    };
    let id = stage.accept(&lab, anonymous).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(graph.only_send().await["template"]["name"], "ready");
}

#[tokio::test]
async fn an_image_goes_with_a_template_for_images() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage
        .template(&lab, ("with_file", "en", "document"), &[])
        .await;
    stage
        .template(&lab, ("with_scan", "en", "image"), &[])
        .await;
    let scan = Draft {
        file: Some((PNG, "image/png")),
        ..Draft::default()
    };
    let id = stage.accept(&lab, scan).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "sent").await;
    engine.finish().await;

    let template = &graph.only_send().await["template"];
    assert_eq!(template["name"], "with_scan");
    assert_eq!(
        template["components"][0]["parameters"][0],
        json!({ "type": "image", "image": { "id": "media-1" } })
    );
}

#[tokio::test]
async fn inside_the_window_the_document_is_sent_with_a_caption() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage.window(&lab, HOUR).await;
    let id = stage.accept(&lab, with_pdf()).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "sent").await;
    engine.finish().await;

    let sent = graph.only_send().await;
    assert_eq!(
        sent["document"],
        json!({ "id": "media-1", "filename": FILENAME, "caption": TEXT })
    );
}

#[tokio::test]
async fn inside_the_window_a_report_without_a_file_is_a_text() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let (_, id) = stage.text().await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "sent").await;
    engine.finish().await;

    let sent = graph.only_send().await;
    assert_eq!(sent["text"], json!({ "body": TEXT, "preview_url": false }));
    assert!(graph.uploads().await.is_empty());
}

#[tokio::test]
async fn a_window_that_closes_within_a_minute_counts_as_closed() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    stage.window(&lab, Duration::from_mins(1)).await;
    stage.template(&lab, ("ready", "en", "none"), &[]).await;
    let id = stage.accept(&lab, Draft::default()).await;

    let engine = stage.engine(graph.client()).await;
    stage.until_state(id, "sent").await;
    engine.finish().await;

    assert_eq!(graph.only_send().await["type"], "template");
}

#[tokio::test]
async fn with_neither_window_nor_template_the_message_fails_with_a_cause() {
    let (stage, graph) = (stage().await, Graph::start().await);
    let lab = stage.lab().await;
    let id = stage.accept(&lab, Draft::default()).await;

    let engine = stage.engine(graph.client()).await;
    let row = stage.until_state(id, "failed").await;
    engine.finish().await;

    assert_eq!(
        row["failure"],
        json!({
            "code": null, "class": "template",
            "detail": "the 24-hour window is closed and no template of this lab fits the report",
        })
    );
    assert!(graph.sends().await.is_empty());
    assert_eq!(stage.work(id).await, None);
}
