use axum::{extract::FromRequestParts, http::request::Parts};
use http::header;
use secrecy::SecretString;

use crate::Problem;

/// The token of `Authorization: Bearer`. Not checked here: that it is there is all this says.
#[derive(Debug, Clone)]
pub struct BearerToken(pub SecretString);

impl<S: Send + Sync> FromRequestParts<S> for BearerToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::unauthorized());
        };
        let token = value
            .to_str()
            .ok()
            .and_then(token)
            .ok_or_else(Problem::unauthorized)?;
        Ok(Self(token.into()))
    }
}

fn token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}
