//! Every error code of the Graph API that concerns us: Meta's error codes page as of 2026-09-11, Meta's `OpenAPI`
//! description v23.0, and codes seen in webhooks that the page no longer lists. The first row that fits counts.

#![expect(
    clippy::unreadable_literal,
    reason = "codes are names: written as Meta writes them, a search finds them"
)]

use std::time::Duration;

use domain::{
    ErrorClass::{
        self, Account, Credential, Permanent, Policy, Retry, Template, Throttle, Unreachable,
    },
    ThrottleScope::{App, Pair, Phone, Portfolio, Waba},
};

use crate::{Classified, PublicCode};

pub(super) struct Row {
    /// One code, or the first and last of a range.
    codes: &'static [i64],
    /// Empty: any or none.
    subcode: &'static [i64],
    /// Lowercase parts of the error's words, one of which must be there. Empty: whatever it says.
    says: &'static [&'static str],
    pub(super) classified: Classified,
}

impl Row {
    pub(super) fn matches(&self, code: i64, subcode: Option<i64>, said: &str) -> bool {
        self.codes.first().is_some_and(|first| *first <= code)
            && self.codes.last().is_some_and(|last| code <= *last)
            && (self.subcode.is_empty() || subcode.is_some_and(|it| self.subcode.contains(&it)))
            && (self.says.is_empty() || self.says.iter().any(|phrase| said.contains(phrase)))
    }
}

impl Classified {
    pub(super) const fn of(class: ErrorClass, code: PublicCode, meaning: &'static str) -> Self {
        Self {
            class,
            public_code: code,
            meaning,
            hold: None,
            max_attempts: None,
            replay_safe: false,
        }
    }
}

macro_rules! rows {
    ($($first:literal $(..= $last:literal)? $(/ $subcode:literal)? $(says [$($phrase:literal),+])?:
        $meaning:literal => $class:expr, $code:ident $(, $field:ident = $value:expr)*;)+) => {
        &[$(Row {
            codes: &[$first $(, $last)?],
            subcode: &[$($subcode)?],
            says: &[$($($phrase),+)?],
            classified: Classified {
                $($field: $value,)*
                ..Classified::of($class, PublicCode::$code, $meaning)
            },
        }),+]
    };
}

pub(super) static ROWS: &[Row] = rows! {
    // Token and permissions.
    0: "The access token has expired or was withdrawn. Store a new one." => Credential, SessionExpired;
    3: "The app lacks a capability or permission. Grant it in Meta's app settings." => Credential, UnauthorizedAccess;
    10: "The permission was not granted or was removed. Grant it again and store a new token." => Credential, UnauthorizedAccess;
    102: "The access token is missing or its session has ended. Store a new one." => Credential, SessionExpired;
    104: "The access token is missing. Store one." => Credential, SessionExpired;
    190: "The access token is expired or invalid. Store a new one." => Credential, SessionExpired;
    200..=299: "A permission is missing. Grant the app the WhatsApp permissions for this account." => Credential, UnauthorizedAccess;
    131005: "The token may not use this number. Grant it the permission whatsapp_business_messaging." => Credential, UnauthorizedAccess;

    // Faults on Meta's side.
    1: "Invalid request or a fault at Meta; it does not say which. It is tried again a few times." =>
        Retry, SendFailed, max_attempts = Some(4);
    2: "Meta is down or overloaded. It is tried again." => Retry, SendFailed;
    131000: "Meta had an unknown fault. It is tried again a few times." => Retry, SendFailed, max_attempts = Some(4);
    131016: "A service of Meta is unavailable for now. It is tried again." => Retry, SendFailed;
    131057: "The number is in maintenance, perhaps because its throughput is being raised. It is sent in a minute." =>
        Retry, SendFailed, hold = Some(Duration::from_mins(1));
    133004: "Meta's server is unavailable for now. It is tried again." => Retry, SendFailed;
    133015: "The number was deleted just now. Wait five minutes before registering it again." =>
        Retry, SessionNotFound, hold = Some(Duration::from_mins(5));
    134101: "The template is still being synchronised, which takes up to ten minutes. It is sent then." =>
        Retry, SendFailed, hold = Some(Duration::from_mins(10));
    135000: "Meta failed on the request's parameters without saying why. Check the message's syntax." =>
        Permanent, SendFailed, max_attempts = Some(2);
    2494100: "The number is in maintenance. It is sent in a few minutes." => Retry, SendFailed, hold = Some(Duration::from_mins(5));

    // Limits.
    4: "The app, which all labs share, made too many calls. It is sent later." =>
        Throttle(App), RateLimitExceeded, replay_safe = true;
    17: "The token's user made too many calls. It is sent later." => Throttle(App), RateLimitExceeded;
    32: "Too many calls for this page. It is sent later." => Throttle(App), RateLimitExceeded;
    341: "The app reached a limit for now. It is sent later." => Throttle(App), RateLimitExceeded;
    613: "A limit on this kind of call was reached. It is sent later." => Throttle(App), RateLimitExceeded;
    80007: "The WhatsApp Business account made too many calls. It is sent later." =>
        Throttle(Waba), RateLimitExceeded, replay_safe = true;
    80008: "Too many calls about this WhatsApp Business account. It is tried later." => Throttle(Waba), RateLimitExceeded;
    130429: "The number reached its throughput. It is sent later." =>
        Throttle(Phone), RateLimitExceeded, replay_safe = true;
    131048: "The number is restricted because patients blocked or reported it. Pause campaigns and improve what is sent." =>
        Throttle(Portfolio), RateLimitExceeded;
    131056: "Too many messages to this patient in a short time. It is sent later." =>
        Throttle(Pair), RateLimitExceeded, replay_safe = true;
    131208: "The group reached its limit of messages. It is sent later." => Throttle(Phone), RateLimitExceeded;
    // A flow has no bucket of its own: the narrowest one slows nothing else down. Ten messages an hour are allowed.
    132069: "The template's flow is throttled by Meta. Repair the flow; it is sent later." =>
        Throttle(Pair), RateLimitExceeded, hold = Some(Duration::from_mins(6));

    // The number and its account.
    33: "The number was deleted or its id is wrong. Check the number's settings." => Account, SessionNotFound;
    100 / 33: "The number's id does not exist, or the token may not see it. Check the number's settings." => Account, SessionNotFound;
    100 says ["not registered"]: "The number is not registered. Register it." => Account, SessionNotFound;
    368: "Meta restricted the account for a policy violation. See Meta's account quality page and appeal." => Account, SessionNotFound;
    803: "The number or account does not exist or is not connected. Check its settings." => Account, SessionNotFound;
    131031: "Meta locked the account, or its PIN does not match. Check the account's health at Meta." => Account, SessionNotFound;
    131037: "The number needs an approved display name. Ask Meta for approval." => Account, SessionNotFound;
    131042: "Meta cannot charge the account. Add or repair its payment method." => Account, SendFailed;
    131045: "The number's registration has a fault. Register it again." => Account, SessionNotFound;
    131064: "Templates were put in the wrong category; Meta blocks sending for some time and lifts that by itself." => Account, SendFailed;
    133000: "An earlier deregistration failed. Deregister the number again, then register it." => Account, SessionNotFound;
    133005: "The two-step PIN is wrong. Enter the right one or reset it." => Account, SessionNotFound;
    133006: "The number must be verified before it is registered." => Account, SessionNotFound;
    133008..=133009: "Too many guesses of the two-step PIN. Wait as long as Meta says, then enter the right one." => Account, SessionNotFound;
    133010: "The number is not registered. Register it." => Account, SessionNotFound;
    133016: "The number was registered too often. Meta allows the next attempt after 72 hours." =>
        Account, SessionNotFound, hold = Some(Duration::from_hours(72));
    134011: "Meta's payment terms were not accepted. Accept them in the account." => Account, SendFailed;
    136024..=136025: "The verification code could not be asked for or does not match. Ask for a new one." => Account, SessionNotFound;

    // The patient.
    131026: "The patient's number is not on WhatsApp or cannot receive this. Reach the patient in another way." =>
        Unreachable, InvalidPhoneNumber;

    // Meta's policy.
    130403: "The number has blocked this patient. Unblock the patient first." => Policy, SendFailed;
    130472: "Meta keeps this message from the patient for an experiment. Reach the patient in another way." => Policy, SendFailed;
    130497: "The account may not send to the patient's country." => Policy, SendFailed;
    131047: "More than 24 hours since the patient wrote. Send an approved template." => Policy, SendFailed;
    131049: "The patient gets too many marketing messages already. Do not repeat it for 24 hours." =>
        Policy, SendFailed, hold = Some(Duration::from_hours(24));
    131050: "The patient wants no marketing messages from this sender. Send none." => Policy, SendFailed;
    137000: "The patient's identity has changed. Verify the patient before sending reports." => Policy, SendFailed;

    // Templates.
    132000: "The number of values differs from the template's parameters. Compare them." => Template, SendFailed;
    132001: "The template does not exist in this language or is not approved. Synchronise the templates." => Template, SendFailed;
    132007: "The template violates a policy of Meta. Change it." => Template, SendFailed;
    132012: "A value has another format than the template's parameter. Compare them." => Template, SendFailed;
    132015: "Meta paused the template, three hours at first. It is sent when the template is back; improve its text." =>
        Template, SendFailed, hold = Some(Duration::from_hours(3));
    132016: "Meta disabled the template for good. Use another one." => Template, SendFailed;
    132018: "The template's values are not valid. Compare them with the template." => Template, SendFailed;
    134102: "The template cannot be used for marketing messages. Use another one." => Template, SendFailed;

    // Files.
    131014 says ["http code 429", "http code 5", "timeout", "timed out"]: "Meta could not fetch the file for now. It is tried again." => Retry, SendFailed;
    131014 says ["file size", "too large", "too big"]: "The file is too large for WhatsApp. Send a smaller one." => Permanent, FileSizeExceeded;
    131014: "Meta could not fetch the file. Check its address." => Permanent, SendFailed;
    131052: "What the patient sent could not be loaded. Ask the patient to send it again." => Permanent, SendFailed;
    131053 says ["http code 429", "http code 5", "timeout", "timed out"]: "Meta could not load the file for now. It is tried again." => Retry, SendFailed;
    131053 says ["file size", "too large", "too big"]: "The file is too large for WhatsApp. Send a smaller one." => Permanent, FileSizeExceeded;
    131053: "Meta could not take the file. Check its kind and content." => Permanent, SendFailed;

    // The request.
    100: "A parameter is not supported or misspelled. The message cannot be sent like this." => Permanent, SendFailed;
    131008: "A required parameter is missing. The message cannot be sent like this." => Permanent, SendFailed;
    131009 says ["phone number", "recipient"]: "The patient's number is not valid. Correct it." => Permanent, InvalidPhoneNumber;
    131009: "The value of a parameter is not valid. The message cannot be sent like this." => Permanent, SendFailed;
    131020: "The group does not exist or cannot be used." => Permanent, SendFailed;
    131021: "The recipient is the sending number itself. Correct the recipient." => Permanent, InvalidPhoneNumber;
    131030: "A test number may only send to its list of recipients. Add the recipient or use a real number." => Permanent, SendFailed;
    131041: "The call about the group was not valid." => Permanent, SendFailed;
    131051: "WhatsApp does not support this type of message." => Permanent, SendFailed;
    131055: "Marketing messages cannot be sent in this way." => Permanent, SendFailed;
    131059: "The call about the group was not valid." => Permanent, SendFailed;
    131062: "This message needs the patient's phone number; a user id is not enough." => Permanent, InvalidPhoneNumber;
    131063: "Marketing templates are switched off for this account. Switch them on or use Meta's marketing messages." => Permanent, SendFailed;
    131201..=131215: "The call about the group was not valid." => Permanent, SendFailed;
    132005: "The template's text is too long with these values. Shorten them." => Permanent, SendFailed;
    132008: "A value of the template is not valid. Correct it." => Permanent, SendFailed;
    132068: "The template's flow is blocked by Meta. Repair the flow." => Permanent, SendFailed;
    134100: "Only marketing templates can be sent in this way." => Permanent, SendFailed;

    // Calls that are no sends.
    138000..=139999: "A call or flow was refused by Meta." => Permanent, SendFailed;
    147001..=147005: "A user name was refused by Meta." => Permanent, SendFailed;
    200002: "The template could not be created. See Meta's reason." => Permanent, SendFailed;
    200005..=200007: "Meta has no statistics of this template." => Permanent, SendFailed;
    1752041: "The account is already being connected. Finish that first." => Permanent, SendFailed;
    2388019: "The account has as many templates as Meta allows. Delete some." => Permanent, SendFailed;
    2388039..=2388040: "The template cannot be changed like this: it is locked or too long." => Permanent, SendFailed;
    2388047: "The template's header has the wrong format." => Permanent, SendFailed;
    2388072..=2388073: "The template's body or footer has the wrong format." => Permanent, SendFailed;
    2388293: "The template has too many variables for its length." => Permanent, SendFailed;
    2388299: "The template has a variable at its start or end." => Permanent, SendFailed;
    2494164..=2494179: "The sign-up was refused by Meta." => Permanent, SendFailed;
    2593107..=2593109: "The history could not be synchronised." => Permanent, SendFailed;
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_hidden_by_an_earlier_one() {
        for (index, row) in ROWS.iter().enumerate() {
            let code = row.codes[0];
            let said = row.says.first().copied().unwrap_or_default();
            let subcode = row.subcode.first().copied();
            let first = ROWS.iter().position(|it| it.matches(code, subcode, said));
            assert_eq!(first, Some(index), "the row of code {code}");
        }
    }

    #[test]
    fn meanings_are_sentences() {
        for row in ROWS {
            let meaning = row.classified.meaning;
            assert!(meaning.ends_with('.') && meaning.len() < 160, "{meaning}");
            assert!(
                row.says
                    .iter()
                    .all(|phrase| *phrase == phrase.to_lowercase())
            );
        }
    }
}
