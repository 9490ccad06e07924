//! A report on its way in: read from JSON or a form, its file stored as it arrives, checked, fitted to a template.
//! Must not know how messages are stored or sent.

mod body;
mod fields;
mod file;
mod reach;

pub(crate) use body::{FILE_FIELD, body_limit, read};
pub(crate) use fields::Report;
pub(crate) use file::{StoredFile, Uploads, file_name};
pub(crate) use reach::check_template;
