use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The secret is not `whsec_` and base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint's secret cannot be read")]
pub(crate) struct InvalidSecret;

/// The `webhook-signature` of Standard Webhooks 1.0.
pub(crate) fn sign(
    secret: &SecretString,
    id: &str,
    timestamp: i64,
    body: &str,
) -> Result<String, InvalidSecret> {
    let encoded = secret
        .expose_secret()
        .strip_prefix("whsec_")
        .ok_or(InvalidSecret)?;
    let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| InvalidSecret)?);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| InvalidSecret)?;
    for part in [id, ".", &timestamp.to_string(), ".", body] {
        mac.update(part.as_bytes());
    }
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    Ok(format!("v1,{signature}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_with(secret: &str, id: &str, timestamp: i64, body: &str) -> Option<String> {
        sign(&SecretString::from(secret), id, timestamp, body).ok()
    }

    #[test]
    fn the_published_vector_is_signed_as_published() {
        let signature = sign_with(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature.as_deref(), Some(expected));
    }

    #[test]
    fn the_body_is_signed_as_utf_8() {
        let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let signature = sign_with(secret, "cbd_1", 1_767_225_600, r#"{"t":"é"}"#);
        let expected = "v1,wGwJ+YWsOnS4Zp30/N28nYT8Wj3ShMLIQcxp3dFq81A=";
        assert_eq!(signature.as_deref(), Some(expected));
    }

    #[test]
    fn a_secret_in_another_form_signs_nothing() {
        for wrong in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?", "whsk_AAEC"] {
            assert_eq!(sign_with(wrong, "cbd_1", 0, "{}"), None, "{wrong}");
        }
    }
}
