use domain::{ErrorClass, ThrottleScope};

use super::{error_codes::ROWS, graph_error::GraphError, webhook::StatusError};
use crate::{Classified, PublicCode};

/// What an answered error means. Meta asks to go by the code alone: the HTTP status counts only for
/// codes that are not in the table.
pub fn classify(error: &GraphError, http_status: u16) -> Classified {
    let words = [error.message.as_deref(), error.details.as_deref()];
    find(error.code, error.subcode, &words)
        .unwrap_or_else(|| unknown(error.is_transient, http_status))
}

/// What an error in a status or message of a webhook means.
pub fn classify_status_error(error: &StatusError) -> Classified {
    let words = [
        error.title.as_deref(),
        error.message.as_deref(),
        error.details.as_deref(),
    ];
    find(error.code, None, &words).unwrap_or(REFUSED)
}

fn find(code: i64, subcode: Option<i64>, words: &[Option<&str>]) -> Option<Classified> {
    let words: Vec<&str> = words.iter().copied().flatten().collect();
    let said = words.join("\n").to_lowercase();
    ROWS.iter()
        .find(|row| row.matches(code, subcode, &said))
        .map(|row| row.classified)
}

/// Codes that Meta adds before we know them.
fn unknown(is_transient: bool, http_status: u16) -> Classified {
    match http_status {
        _ if is_transient => STUMBLED,
        500.. => STUMBLED,
        429 => Classified::of(
            ErrorClass::Throttle(ThrottleScope::Phone),
            PublicCode::RateLimitExceeded,
            "Meta refused for now because of too many requests. It is sent later.",
        ),
        401 => Classified::of(
            ErrorClass::Credential,
            PublicCode::SessionExpired,
            "Meta does not accept the access token. Store a valid one.",
        ),
        _ => REFUSED,
    }
}

const STUMBLED: Classified = Classified {
    max_attempts: Some(4),
    ..Classified::of(
        ErrorClass::Retry,
        PublicCode::SendFailed,
        "Meta had a fault of its own. It is tried again a few times.",
    )
};

const REFUSED: Classified = Classified::of(
    ErrorClass::Permanent,
    PublicCode::SendFailed,
    "Meta refused for a reason that is not known here. Look the code up in Meta's list of errors.",
);
