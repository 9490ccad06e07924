use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The value of `X-Hub-Signature-256` for these bytes.
pub(super) fn signature(app_secret: &SecretString, body: &[u8]) -> String {
    let key = app_secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC key may have any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_it_is_on_the_wire(
        r#"{"object":"whatsapp_business_account","entry":[],"t":"caf\u00e9 \/ \ud83d\udc4d"}"#,
        "8e2227a0e1482d18fef8ca469261e5bb2bf93872aac4edbce1939be6635ed27a"
    )]
    #[case::read_and_written_again(
        r#"{"object":"whatsapp_business_account","entry":[],"t":"café / 👍"}"#,
        "d88dcf3f9d8adee1ff5148e3d517874626643df85c957c445f48f1942bbc905a"
    )]
    fn the_signature_is_over_the_bytes(#[case] body: &str, #[case] expected: &str) {
        assert_eq!(
            signature(&"app_secret".into(), body.as_bytes()),
            format!("sha256={expected}")
        );
    }
}
