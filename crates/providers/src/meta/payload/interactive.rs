use serde::Serialize;

use crate::{Interactive, ListSection};

#[derive(Serialize)]
pub(super) struct Question<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Header<'a>>,
    body: Words<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<Words<'a>>,
    action: Action<'a>,
}

#[derive(Serialize)]
struct Header<'a> {
    r#type: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct Words<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Action<'a> {
    Buttons {
        buttons: Vec<Button<'a>>,
    },
    List {
        button: &'a str,
        sections: Vec<Section<'a>>,
    },
}

#[derive(Serialize)]
struct Button<'a> {
    r#type: &'static str,
    reply: Reply<'a>,
}

#[derive(Serialize)]
struct Reply<'a> {
    id: &'a str,
    title: &'a str,
}

#[derive(Serialize)]
struct Section<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    rows: Vec<SectionRow<'a>>,
}

#[derive(Serialize)]
struct SectionRow<'a> {
    id: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

pub(super) fn question(interactive: &Interactive) -> Question<'_> {
    let (r#type, header, body, footer, action) = match interactive {
        Interactive::Buttons {
            header,
            body,
            footer,
            buttons,
        } => {
            let buttons = buttons.iter().map(|button| Button {
                r#type: "reply",
                reply: Reply {
                    id: &button.id,
                    title: &button.title,
                },
            });
            let buttons = buttons.collect();
            ("button", header, body, footer, Action::Buttons { buttons })
        }
        Interactive::List {
            header,
            body,
            footer,
            button,
            sections,
        } => {
            let sections = sections.iter().map(section).collect();
            (
                "list",
                header,
                body,
                footer,
                Action::List { button, sections },
            )
        }
    };
    Question {
        r#type,
        header: header.as_deref().map(|text| Header {
            r#type: "text",
            text,
        }),
        body: Words { text: body },
        footer: footer.as_deref().map(|text| Words { text }),
        action,
    }
}

fn section(section: &ListSection) -> Section<'_> {
    let rows = section.rows.iter().map(|row| SectionRow {
        id: &row.id,
        title: &row.title,
        description: row.description.as_deref(),
    });
    Section {
        title: section.title.as_deref(),
        rows: rows.collect(),
    }
}
