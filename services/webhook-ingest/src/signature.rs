use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Whether `header` (`sha256=<64 hex digits>`) signs exactly these bytes with the app's secret. Compares in constant time.
/// The bytes must be those on the wire: the provider signs its own escaping, which parsing and printing again would change.
pub fn is_signed(secret: &SecretString, header: &[u8], body: &[u8]) -> bool {
    let Some(digits) = header.strip_prefix(b"sha256=") else {
        return false;
    };
    let mut claimed = [0_u8; 32];
    if hex::decode_to_slice(digits, &mut claimed).is_err() {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&claimed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Escaped as Meta does; the backslashes are in the body.
    const BODY: &[u8] =
        br#"{"object":"whatsapp_business_account","entry":[],"t":"caf\u00e9 \/ \ud83d\udc4d"}"#;
    const SIGNATURE: &[u8] =
        b"sha256=8e2227a0e1482d18fef8ca469261e5bb2bf93872aac4edbce1939be6635ed27a";

    fn secret() -> SecretString {
        SecretString::from("app_secret")
    }

    #[test]
    fn the_signature_of_the_exact_bytes_is_accepted() {
        assert!(is_signed(&secret(), SIGNATURE, BODY));
    }

    #[test]
    fn the_same_json_in_other_bytes_is_refused() {
        let reserialised =
            "{\"object\":\"whatsapp_business_account\",\"entry\":[],\"t\":\"café / 👍\"}";
        assert!(!is_signed(&secret(), SIGNATURE, reserialised.as_bytes()));
    }

    #[test]
    fn another_secret_or_form_is_refused() {
        assert!(!is_signed(&SecretString::from("other"), SIGNATURE, BODY));
        assert!(!is_signed(
            &secret(),
            SIGNATURE.strip_prefix(b"sha256=").unwrap(),
            BODY
        ));
        assert!(!is_signed(&secret(), b"sha256=8e22", BODY));
        assert!(!is_signed(&secret(), b"", BODY));
    }
}
