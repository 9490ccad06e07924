//! The patients and their phones in the browser. Everything it shows comes from the control API.

use axum::{
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

/// The page needs nothing from anywhere else, and what a message says cannot run as a script.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: &[(&str, &str, &str)] = &[
    ("style.css", CSS, include_str!("style.css")),
    ("shared.js", SCRIPT, include_str!("shared.js")),
    ("bubble.js", SCRIPT, include_str!("bubble.js")),
    ("index.js", SCRIPT, include_str!("index.js")),
    ("phone.js", SCRIPT, include_str!("phone.js")),
];

pub(crate) async fn index() -> Response {
    respond(HTML, include_str!("index.html"))
}

pub(crate) async fn phone() -> Response {
    respond(HTML, include_str!("phone.html"))
}

pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    found.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |(_, mime_type, content)| respond(mime_type, content),
    )
}

fn respond(mime_type: &'static str, content: &'static str) -> Response {
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, mime_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, content).into_response()
}
