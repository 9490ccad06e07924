//! What the Graph API checks of a message before it accepts it, and what the patient's phone will show of it.
//! Knows no numbers, tokens or limits; templates are handed in.

mod field;
mod interactive;
mod media;
mod message;
mod template;
mod template_buttons;
mod template_definition;

pub(crate) use field::At;
pub(crate) use media::{LARGEST_UPLOAD, check_upload, fits_message};
pub(crate) use message::{Command, Content, Outbound, To, command};
pub(crate) use template::check as check_template;
pub(crate) use template_definition::check as check_definition;
