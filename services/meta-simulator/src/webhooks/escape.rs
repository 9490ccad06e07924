use std::io::{self, Write};

use serde_json::{
    Serializer, Value,
    ser::{CompactFormatter, Formatter},
};

/// Compact JSON in ASCII: `\u00e9` in lowercase hex for everything beyond, `\/` for slashes.
struct Escaped;

impl Formatter for Escaped {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut units = [0; 2];
        for char in fragment.chars() {
            match char {
                '/' => writer.write_all(b"\\/")?,
                char if char.is_ascii() => {
                    CompactFormatter
                        .write_string_fragment(writer, char.encode_utf8(&mut [0; 4]))?;
                }
                char => {
                    for unit in char.encode_utf16(&mut units) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The very bytes of a webhook's body.
pub(super) fn escaped(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    let mut serializer = Serializer::with_formatter(&mut bytes, Escaped);
    serde::Serialize::serialize(value, &mut serializer)
        .expect("writing a Value to memory cannot fail");
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn slashes_and_everything_beyond_ascii_are_escaped() {
        let body = json!({ "entry": [], "object": "whatsapp_business_account", "t": "café / 👍" });
        let expected =
            r#"{"entry":[],"object":"whatsapp_business_account","t":"caf\u00e9 \/ \ud83d\udc4d"}"#;
        assert_eq!(String::from_utf8(escaped(&body)).unwrap(), expected);
    }

    #[test]
    fn quotes_and_control_characters_stay_valid_json() {
        let body = json!({ "रिपोर्ट": "a\"b\\c\n\u{1}" });
        let bytes = escaped(&body);
        assert!(bytes.is_ascii());
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), body);
    }
}
