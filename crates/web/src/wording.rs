// What a client is told about input that cannot be deserialized: in our words, because those of serde quote the value,
// and a value may be a patient's.

use serde_path_to_error::{Path, Segment};

/// Where the fault is and what was expected there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

pub(crate) fn fault(path: &Path, message: &str) -> Fault {
    let mut pointer = pointer(path);
    if let Some(field) = quoted_after(message, "missing field `") {
        push(&mut pointer, field);
        return Fault {
            pointer,
            detail: "required".to_owned(),
        };
    }
    if let Some(field) = quoted_after(message, "duplicate field `") {
        push(&mut pointer, field);
        return Fault {
            pointer,
            detail: "given more than once".to_owned(),
        };
    }
    Fault {
        pointer,
        detail: expected(message).unwrap_or("not valid".to_owned()),
    }
}

/// RFC 6901.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { variant } => push(&mut pointer, variant),
            Segment::Unknown => {}
        }
    }
    pointer
}

fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

fn quoted_after<'a>(message: &'a str, prefix: &str) -> Option<&'a str> {
    message.strip_prefix(prefix)?.split('`').next()
}

/// Only serde's own messages are read: what a type says in its own words may quote the value. In serde's, the value
/// comes before the last "expected", and what follows it is written in the code.
fn expected(message: &str) -> Option<String> {
    const OURS: [&str; 5] = [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant `",
        "unknown field `",
    ];
    OURS.iter().find(|prefix| message.starts_with(**prefix))?;
    // "there are no variants": nothing of ours follows the value.
    if message.contains(", there are no ") {
        return None;
    }
    let (_, expected) = message.rsplit_once(", expected ")?;
    let expected = match expected.split(' ').next()? {
        "struct" | "map" | "internally" | "adjacently" | "enum" => "an object",
        "tuple" | "sequence" => "an array",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "unit" => "null",
        _ => match expected {
            "a map" => "an object",
            "a sequence" => "an array",
            other => other,
        },
    };
    Some(format!("expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_in_the_code_is_repeated() {
        let told = |message| expected(message).unwrap_or_default();
        assert_eq!(
            told("invalid value: integer `300`, expected u8"),
            "expected a whole number from 0"
        );
        assert_eq!(
            told("invalid type: string \"x, expected Asha\", expected a map"),
            "expected an object"
        );
        assert_eq!(
            told("unknown field `a, expected Asha`, there are no fields"),
            ""
        );
        assert_eq!(told("Asha is no number, expected Asha"), "");
    }
}
