//! WhatsApp Cloud API of Meta: calls to the Graph API, the meaning of its errors, its webhooks.
//! Its wire forms end at this folder.

mod classify;
mod client;
mod error_codes;
mod exchange;
mod graph_error;
mod management;
mod payload;
mod usage;
pub mod webhook;

pub use classify::{classify, classify_status_error};
pub use client::MetaClient;
pub use graph_error::GraphError;
pub use management::{NumberInfo, Template, TemplatePage, TokenInfo};
