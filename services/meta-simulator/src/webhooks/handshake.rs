use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use url::Url;

/// Why a callback URL was not taken.
#[derive(Debug, Error)]
pub enum HandshakeError {
    #[error("the callback is not a URL")]
    Url(#[from] url::ParseError),
    #[error("the callback cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the callback answered {0}")]
    Status(u16),
    #[error("the callback did not answer with the challenge")]
    Challenge,
    #[error("there is no app {0}")]
    UnknownApp(String),
}

/// Asks a callback to prove that it knows the verify token, before anything is sent to it.
pub(crate) async fn handshake(
    client: &Client,
    callback: &str,
    verify_token: &SecretString,
    challenge: &str,
) -> Result<(), HandshakeError> {
    let mut url = Url::parse(callback)?;
    url.query_pairs_mut()
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.challenge", challenge)
        .append_pair("hub.verify_token", verify_token.expose_secret());
    // The URL holds the verify token: it must not end up in an error.
    let answer = client.get(url).send().await;
    let answer = answer.map_err(|error| HandshakeError::Unreachable(error.without_url()))?;
    if answer.status().as_u16() != 200 {
        return Err(HandshakeError::Status(answer.status().as_u16()));
    }
    let body = answer
        .text()
        .await
        .map_err(|error| HandshakeError::Unreachable(error.without_url()))?;
    if body == challenge {
        Ok(())
    } else {
        Err(HandshakeError::Challenge)
    }
}
