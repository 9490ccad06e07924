use providers::{
    Content, HeaderMedia, Interactive, ListRow, ListSection, MediaKind, ReplyButton,
    TemplateButton, TemplateParameter,
};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{client, message, sender};

/// The body that reaches the provider.
async fn body(content: Content) -> Value {
    let server = MockServer::start().await;
    let accepted =
        ResponseTemplate::new(200).set_body_json(json!({"messages": [{"id": "wamid.1"}]}));
    Mock::given(any())
        .respond_with(accepted)
        .mount(&server)
        .await;
    client(&server.uri())
        .send(&sender(), &message(content))
        .await
        .unwrap();
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    let length = requests[0].headers["content-length"].to_str().unwrap();
    assert_eq!(length, requests[0].body.len().to_string());
    serde_json::from_slice(&requests[0].body).unwrap()
}

fn named(name: &str, text: &str) -> TemplateParameter {
    TemplateParameter {
        name: Some(name.to_owned()),
        text: text.to_owned(),
    }
}

fn header(kind: MediaKind) -> HeaderMedia {
    HeaderMedia {
        kind,
        media_id: "4490709327384033".to_owned(),
        filename: Some("report.pdf".to_owned()),
    }
}

fn template(
    header: Option<HeaderMedia>,
    body: Vec<TemplateParameter>,
    buttons: Vec<TemplateButton>,
) -> Content {
    Content::Template {
        name: "report_ready".to_owned(),
        language: "en_US".to_owned(),
        header,
        body,
        buttons,
    }
}

#[tokio::test]
async fn text() {
    let content = Content::Text {
        body: "नमस्ते, your report:\nhttps://lab.example/r/1".to_owned(),
        preview_url: true,
    };
    insta::assert_json_snapshot!(body(content).await);
}

#[tokio::test]
async fn document() {
    let content = Content::Document {
        media_id: "4490709327384033".to_owned(),
        filename: Some("रिपोर्ट.pdf".to_owned()),
        caption: Some("Your report".to_owned()),
    };
    insta::assert_json_snapshot!(body(content).await);
}

#[tokio::test]
async fn document_without_words() {
    let content = Content::Document {
        media_id: "4490709327384033".to_owned(),
        filename: None,
        caption: None,
    };
    insta::assert_json_snapshot!(body(content).await);
}

#[tokio::test]
async fn image() {
    let content = Content::Image {
        media_id: "4490709327384033".to_owned(),
        caption: Some("Your scan".to_owned()),
    };
    insta::assert_json_snapshot!(body(content).await);
}

/// As in Meta's documentation, with our address and id.
#[tokio::test]
async fn a_template_looks_as_documented() {
    let buttons = vec![
        TemplateButton::Url {
            index: 0,
            suffix: "abc123".to_owned(),
        },
        TemplateButton::QuickReply {
            index: 1,
            payload: "OK".to_owned(),
        },
    ];
    let content = template(
        Some(header(MediaKind::Document)),
        vec![named("patient_name", "A")],
        buttons,
    );
    let documented = json!({"messaging_product":"whatsapp","recipient_type":"individual","to":"+919876543210","type":"template",
        "biz_opaque_callback_data":"msg_019380000000700080000000000000aa",
        "template":{"name":"report_ready","language":{"code":"en_US"},
        "components":[
        {"type":"header","parameters":[{"type":"document","document":{"id":"4490709327384033","filename":"report.pdf"}}]},
        {"type":"body","parameters":[{"type":"text","parameter_name":"patient_name","text":"A"}]},
        {"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text","text":"abc123"}]},
        {"type":"button","sub_type":"quick_reply","index":"1","parameters":[{"type":"payload","payload":"OK"}]}]}});
    assert_eq!(body(content).await, documented);
}

#[tokio::test]
async fn template_with_positional_values_and_image() {
    let value = |text: &str| TemplateParameter {
        name: None,
        text: text.to_owned(),
    };
    let content = template(
        Some(header(MediaKind::Image)),
        vec![value("Asha"), value("CBC")],
        Vec::new(),
    );
    insta::assert_json_snapshot!(body(content).await);
}

#[tokio::test]
async fn template_without_values() {
    insta::assert_json_snapshot!(body(template(None, Vec::new(), Vec::new())).await);
}

#[tokio::test]
async fn interactive_buttons() {
    let button = |id: &str, title: &str| ReplyButton {
        id: id.to_owned(),
        title: title.to_owned(),
    };
    let content = Content::Interactive(Interactive::Buttons {
        header: Some("Appointment".to_owned()),
        body: "Will you come tomorrow?".to_owned(),
        footer: Some("City Lab".to_owned()),
        buttons: vec![button("yes", "Yes"), button("no", "No")],
    });
    insta::assert_json_snapshot!(body(content).await);
}

#[tokio::test]
async fn interactive_list() {
    let row = |id: &str, title: &str, description: Option<&str>| ListRow {
        id: id.to_owned(),
        title: title.to_owned(),
        description: description.map(str::to_owned),
    };
    let content = Content::Interactive(Interactive::List {
        header: None,
        body: "Which test?".to_owned(),
        footer: None,
        button: "Tests".to_owned(),
        sections: vec![
            ListSection {
                title: Some("Blood".to_owned()),
                rows: vec![
                    row("cbc", "CBC", Some("Complete blood count")),
                    row("hb", "Haemoglobin", None),
                ],
            },
            ListSection {
                title: None,
                rows: vec![row("other", "Another", None)],
            },
        ],
    });
    insta::assert_json_snapshot!(body(content).await);
}

#[tokio::test]
async fn reaction() {
    let content = Content::Reaction {
        wamid: "wamid.HBgL".to_owned(),
        emoji: "👍".to_owned(),
    };
    insta::assert_json_snapshot!(body(content).await);
}
