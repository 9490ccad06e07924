use std::error::Error;

use domain::MessageId;
use providers::{
    Accepted, Content, HeaderMedia, Interactive, ListRow, ListSection, MediaKind, MediaUpload,
    ReplyButton, SendError, TemplateButton, TemplateParameter, meta::webhook,
};
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{TOKEN, client, message, sender, text};

const SECRETS: [&str; 4] = [TOKEN, "9876543210", "Asha", "HBgM"];

#[track_caller]
fn assert_says_nothing(said: &str) {
    for secret in SECRETS {
        assert!(!said.contains(secret), "{secret} is in {said}");
    }
}

/// Everything that a log line could show of an error.
fn all(error: &SendError) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        said = format!("{said} {error} {error:?}");
        source = error.source();
    }
    said
}

#[test]
fn what_is_sent_does_not_show_in_debug() {
    let asha = || "Asha".to_owned();
    let contents = [
        Content::Text {
            body: asha(),
            preview_url: false,
        },
        Content::Template {
            name: "ready".to_owned(),
            language: "en".to_owned(),
            header: Some(HeaderMedia {
                kind: MediaKind::Document,
                media_id: "1".to_owned(),
                filename: Some(asha()),
            }),
            body: vec![TemplateParameter {
                name: None,
                text: asha(),
            }],
            buttons: vec![TemplateButton::Url {
                index: 0,
                suffix: asha(),
            }],
        },
    ];
    for content in contents {
        assert_says_nothing(&format!("{:?} {:?}", message(content), sender()));
    }
    let media = MediaUpload {
        mime: "application/pdf".to_owned(),
        filename: asha(),
        bytes: "Asha".into(),
    };
    let header = HeaderMedia {
        kind: MediaKind::Image,
        media_id: "1".to_owned(),
        filename: Some(asha()),
    };
    let parameter = TemplateParameter {
        name: None,
        text: asha(),
    };
    let button = TemplateButton::QuickReply {
        index: 0,
        payload: asha(),
    };
    assert_says_nothing(&format!("{media:?} {header:?} {parameter:?} {button:?}"));
    let row = ListRow {
        id: "1".to_owned(),
        title: asha(),
        description: Some(asha()),
    };
    let section = ListSection {
        title: None,
        rows: vec![row],
    };
    let reply = ReplyButton {
        id: "1".to_owned(),
        title: asha(),
    };
    assert_says_nothing(&format!("{section:?} {reply:?}"));
    let list = Interactive::List {
        header: None,
        body: asha(),
        footer: None,
        button: asha(),
        sections: vec![section],
    };
    assert_says_nothing(&format!("{list:?}"));
}

#[test]
fn what_is_received_does_not_show_in_debug() {
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [
        {"field": "messages", "value": {
            "metadata": {"phone_number_id": "2", "display_phone_number": "919876543210"},
            "contacts": [{"wa_id": "919876543210", "profile": {"name": "Asha"}}],
            "messages": [{"id": "wamid.HBgM", "from": "919876543210", "timestamp": "1", "type": "document",
                "document": {"id": "3", "filename": "Asha.pdf", "caption": "Asha"}}],
            "statuses": [{"id": "wamid.HBgM", "status": "failed", "timestamp": "1", "recipient_id": "919876543210",
                "errors": [{"code": 131_026, "title": "Asha", "error_data": {"details": "Asha"}}]}],
            "errors": [{"code": 1, "title": "Asha"}],
        }},
        {"field": "user_preferences", "value": {"user_preferences": [{"wa_id": "919876543210"}]}},
    ]}]});
    let items = webhook::parse(body.to_string().as_bytes()).unwrap();
    assert_eq!(items.len(), 4);
    assert_says_nothing(&format!("{items:?}"));
}

#[test]
fn an_accepted_message_shows_neither_number_nor_id() {
    let accepted = Accepted {
        wamid: "wamid.HBgM".to_owned(),
        wa_id: Some("919876543210".to_owned()),
        message_status: None,
        usage: providers::Usage::default(),
        trace_id: None,
    };
    assert_says_nothing(&format!("{accepted:?}"));
}

#[tokio::test]
async fn errors_repeat_neither_the_token_nor_the_request() {
    let echo = json!({"error": {"message": format!("Malformed access token {TOKEN}"), "code": 190,
        "error_data": {"details": "Asha 919876543210"}}});
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(400).set_body_json(echo))
        .mount(&server)
        .await;
    let client_here = client(&server.uri());
    assert_says_nothing(&all(&client_here
        .send(&sender(), &text())
        .await
        .unwrap_err()));
    // The token is a part of this address.
    let nowhere = client("http://127.0.0.1:1");
    assert_says_nothing(&all(&nowhere.debug_token(&TOKEN.into()).await.unwrap_err()));
}

#[tokio::test]
async fn an_odd_answer_is_not_repeated() {
    let server = MockServer::start().await;
    let odd = json!({"messages": [{"id": ["919876543210"]}], "data": "Asha"});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(odd))
        .mount(&server)
        .await;
    let client = client(&server.uri());
    assert_says_nothing(&all(&client.send(&sender(), &text()).await.unwrap_err()));
    assert_says_nothing(&all(&client.debug_token(&TOKEN.into()).await.unwrap_err()));
}

#[test]
fn the_message_id_may_be_shown() {
    let shown = format!("{:?}", text());
    let id: MessageId = text().opaque;
    assert!(shown.contains(&id.to_string()), "{shown}");
}
