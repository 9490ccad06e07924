use std::fmt;

use bytes::Bytes;
use domain::{MessageId, PhoneNumber};
use secrecy::SecretString;

/// The number that sends, and the token that it sends with.
#[derive(Debug, Clone)]
pub struct Sender {
    pub phone_number_id: String,
    pub token: SecretString,
}

/// One message to one patient.
#[derive(Debug, Clone)]
pub struct OutboundMessage {
    pub to: PhoneNumber,
    /// Echoed by every status of the message: how a send is found again whose answer was lost.
    pub opaque: MessageId,
    pub content: Content,
}

/// What the patient will see.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    Text {
        body: String,
        preview_url: bool,
    },
    Document {
        media_id: String,
        filename: Option<String>,
        caption: Option<String>,
    },
    Image {
        media_id: String,
        caption: Option<String>,
    },
    /// The only content that may be sent outside the 24-hour window.
    Template {
        name: String,
        language: String,
        header: Option<HeaderMedia>,
        body: Vec<TemplateParameter>,
        buttons: Vec<TemplateButton>,
    },
    Interactive(Interactive),
    /// An empty emoji takes the reaction back.
    Reaction {
        wamid: String,
        emoji: String,
    },
}

impl Content {
    /// A template without buttons that need values.
    pub fn template(
        name: String,
        language: String,
        header: Option<HeaderMedia>,
        body: Vec<TemplateParameter>,
    ) -> Self {
        Self::Template {
            name,
            language,
            header,
            body,
            buttons: Vec::new(),
        }
    }

    /// The provider's name for this kind of content.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Document { .. } => "document",
            Self::Image { .. } => "image",
            Self::Template { .. } => "template",
            Self::Interactive(_) => "interactive",
            Self::Reaction { .. } => "reaction",
        }
    }
}

/// The kind only: texts, names and file names are the patient's.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({})", self.kind())
    }
}

/// How a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    Document,
    Image,
}

/// The file at the head of a template.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderMedia {
    pub kind: MediaKind,
    pub media_id: String,
    /// For documents.
    pub filename: Option<String>,
}

redacted_debug!(HeaderMedia { kind, media_id });

/// A value for a template's body. Without names, values are taken in order.
#[derive(Clone, PartialEq, Eq)]
pub struct TemplateParameter {
    pub name: Option<String>,
    pub text: String,
}

redacted_debug!(TemplateParameter { name });

/// A value for one of a template's buttons, counted from 0.
#[derive(Clone, PartialEq, Eq)]
pub enum TemplateButton {
    /// Comes back when the patient taps.
    QuickReply { index: u8, payload: String },
    /// The variable end of the button's address.
    Url { index: u8, suffix: String },
}

impl fmt::Debug for TemplateButton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuickReply { index, .. } => write!(f, "QuickReply({index})"),
            Self::Url { index, .. } => write!(f, "Url({index})"),
        }
    }
}

/// A question with answers to tap.
#[derive(Clone, PartialEq, Eq)]
pub enum Interactive {
    /// At most three.
    Buttons {
        header: Option<String>,
        body: String,
        footer: Option<String>,
        buttons: Vec<ReplyButton>,
    },
    /// At most ten rows in all.
    List {
        header: Option<String>,
        body: String,
        footer: Option<String>,
        /// The label that opens the list.
        button: String,
        sections: Vec<ListSection>,
    },
}

impl fmt::Debug for Interactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buttons { buttons, .. } => write!(f, "Buttons({})", buttons.len()),
            Self::List { sections, .. } => write!(f, "List({})", sections.len()),
        }
    }
}

/// An answer to tap.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyButton {
    pub id: String,
    pub title: String,
}

redacted_debug!(ReplyButton { id });

/// A group of rows of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSection {
    pub title: Option<String>,
    pub rows: Vec<ListRow>,
}

/// An answer to choose from a list.
#[derive(Clone, PartialEq, Eq)]
pub struct ListRow {
    pub id: String,
    pub title: String,
    pub description: Option<String>,
}

redacted_debug!(ListRow { id });

/// A file to leave with the provider.
#[derive(Clone)]
pub struct MediaUpload {
    pub mime: String,
    pub filename: String,
    pub bytes: Bytes,
}

redacted_debug!(MediaUpload { mime });
