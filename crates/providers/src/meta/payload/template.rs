use serde::Serialize;

use super::Media;
use crate::{HeaderMedia, MediaKind, TemplateButton, TemplateParameter};

#[derive(Serialize)]
pub(super) struct Template<'a> {
    name: &'a str,
    language: TemplateLanguage<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component<'a>>,
}

impl<'a> Template<'a> {
    pub(super) fn new(name: &'a str, code: &'a str, components: Vec<Component<'a>>) -> Self {
        Self {
            name,
            language: TemplateLanguage { code },
            components,
        }
    }
}

#[derive(Serialize)]
struct TemplateLanguage<'a> {
    code: &'a str,
}

#[derive(Serialize)]
pub(super) struct Component<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    parameters: Vec<Parameter<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Parameter<'a> {
    Text {
        #[serde(skip_serializing_if = "Option::is_none")]
        parameter_name: Option<&'a str>,
        text: &'a str,
    },
    Document {
        document: Media<'a>,
    },
    Image {
        image: Media<'a>,
    },
    Payload {
        payload: &'a str,
    },
}

pub(super) fn components<'a>(
    header: Option<&'a HeaderMedia>,
    body: &'a [TemplateParameter],
    buttons: &'a [TemplateButton],
) -> Vec<Component<'a>> {
    let header = header.map(|media| part("header", vec![header_media(media)]));
    let values = body.iter().map(|value| Parameter::Text {
        parameter_name: value.name.as_deref(),
        text: &value.text,
    });
    let body = (!body.is_empty()).then(|| part("body", values.collect()));
    let buttons = buttons.iter().map(button);
    header.into_iter().chain(body).chain(buttons).collect()
}

fn part<'a>(r#type: &'static str, parameters: Vec<Parameter<'a>>) -> Component<'a> {
    Component {
        r#type,
        sub_type: None,
        index: None,
        parameters,
    }
}

fn header_media(media: &HeaderMedia) -> Parameter<'_> {
    let wire = Media {
        id: &media.media_id,
        filename: media.filename.as_deref(),
        caption: None,
    };
    match media.kind {
        MediaKind::Document => Parameter::Document { document: wire },
        MediaKind::Image => Parameter::Image {
            image: Media {
                filename: None,
                ..wire
            },
        },
    }
}

fn button(button: &TemplateButton) -> Component<'_> {
    let (sub_type, index, parameter) = match button {
        TemplateButton::QuickReply { index, payload } => {
            ("quick_reply", index, Parameter::Payload { payload })
        }
        TemplateButton::Url { index, suffix } => {
            let suffix = Parameter::Text {
                parameter_name: None,
                text: suffix,
            };
            ("url", index, suffix)
        }
    };
    Component {
        sub_type: Some(sub_type),
        index: Some(index.to_string()),
        ..part("button", vec![parameter])
    }
}
