//! The bodies of messages as Meta wants them. Checks nothing: what may be sent is decided before.

mod interactive;
mod template;

use domain::MessageId;
use serde::Serialize;

use self::{
    interactive::{Question, question},
    template::{Template, components},
};
use crate::{Content, OutboundMessage};

#[derive(Serialize)]
pub(super) struct Message<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    /// With plus: without it, Meta puts the sending number's country code in front.
    to: &'a str,
    biz_opaque_callback_data: MessageId,
    #[serde(flatten)]
    body: Body<'a>,
}

impl<'a> From<&'a OutboundMessage> for Message<'a> {
    fn from(message: &'a OutboundMessage) -> Self {
        Self {
            messaging_product: "whatsapp",
            recipient_type: "individual",
            to: message.to.as_e164(),
            biz_opaque_callback_data: message.opaque,
            body: body(&message.content),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Body<'a> {
    Text { text: Text<'a> },
    Document { document: Media<'a> },
    Image { image: Media<'a> },
    Template { template: Template<'a> },
    Interactive { interactive: Question<'a> },
    Reaction { reaction: Reaction<'a> },
}

#[derive(Serialize)]
struct Text<'a> {
    body: &'a str,
    preview_url: bool,
}

#[derive(Serialize)]
pub(super) struct Media<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<&'a str>,
}

#[derive(Serialize)]
struct Reaction<'a> {
    message_id: &'a str,
    emoji: &'a str,
}

fn body(content: &Content) -> Body<'_> {
    match content {
        Content::Text { body, preview_url } => Body::Text {
            text: Text {
                body,
                preview_url: *preview_url,
            },
        },
        Content::Document {
            media_id,
            filename,
            caption,
        } => Body::Document {
            document: Media {
                id: media_id,
                filename: filename.as_deref(),
                caption: caption.as_deref(),
            },
        },
        Content::Image { media_id, caption } => Body::Image {
            image: Media {
                id: media_id,
                filename: None,
                caption: caption.as_deref(),
            },
        },
        Content::Template {
            name,
            language,
            header,
            body,
            buttons,
        } => Body::Template {
            template: Template::new(name, language, components(header.as_ref(), body, buttons)),
        },
        Content::Interactive(interactive) => Body::Interactive {
            interactive: question(interactive),
        },
        Content::Reaction { wamid, emoji } => Body::Reaction {
            reaction: Reaction {
                message_id: wamid,
                emoji,
            },
        },
    }
}
