use std::time::Duration;

use axum::body::Bytes;
use futures::StreamExt;
use reqwest::Client;

use crate::validate::LARGEST_UPLOAD;

/// A file that a message named by its link.
pub(super) struct Fetched {
    pub(super) bytes: Bytes,
    pub(super) mime_type: String,
}

/// Fetches a link as Meta does; the error is the details of the 131053 that follows.
pub(super) async fn fetch(client: &Client, link: &str) -> Result<Fetched, String> {
    let answer = client
        .get(link)
        .timeout(Duration::from_secs(15))
        .send()
        .await;
    let answer = answer.map_err(|_| {
        "Downloading media from weblink failed: the host cannot be reached".to_owned()
    })?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!(
            "Downloading media from weblink failed with http code {}, status message {}",
            status.as_u16(),
            status.canonical_reason().unwrap_or("Unknown")
        ));
    }
    let mime_type = answer
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    let mime_type = mime_type.unwrap_or("application/octet-stream").to_owned();
    let mut bytes = Vec::new();
    let mut stream = answer.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| {
            "Downloading media from weblink failed: the connection broke".to_owned()
        })?;
        if bytes.len() + chunk.len() > LARGEST_UPLOAD {
            return Err("Downloading media from weblink failed: the file is too big".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Fetched {
        bytes: bytes.into(),
        mime_type,
    })
}
