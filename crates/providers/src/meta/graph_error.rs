use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The error that an answer of the Graph API carries. Its words may repeat the request or the token.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct GraphError {
    #[serde(deserialize_with = "integer")]
    pub code: i64,
    #[serde(
        rename = "error_subcode",
        default,
        deserialize_with = "lenient_integer"
    )]
    pub subcode: Option<i64>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub message: Option<String>,
    #[serde(rename = "error_data", default, deserialize_with = "details")]
    pub details: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub fbtrace_id: Option<String>,
    #[serde(default, deserialize_with = "lenient_flag")]
    pub is_transient: bool,
}

redacted_debug!(GraphError {
    code,
    subcode,
    fbtrace_id,
    is_transient
});

#[derive(Deserialize)]
struct Envelope {
    error: GraphError,
}

impl GraphError {
    /// The error in a body; `None` if it is something else than the Graph API's envelope.
    pub(super) fn in_body(body: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Envelope>(body)
            .ok()
            .map(|envelope| envelope.error)
    }
}

/// A number, or a string of digits.
pub(super) fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    as_integer(&Value::deserialize(deserializer)?)
        .ok_or_else(|| serde::de::Error::custom("the code is no integer"))
}

// What only explains an error must never hide that there is one: odd values count as missing.

fn lenient_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(as_integer(&Value::deserialize(deserializer)?))
}

fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text(Value::deserialize(deserializer)?))
}

fn lenient_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Value::deserialize(deserializer)? == Value::Bool(true))
}

/// An object with `details`, or (templates, management) the words themselves.
fn details<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(mut object) => object.remove("details").and_then(text),
        other => text(other),
    })
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
