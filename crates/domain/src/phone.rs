use std::fmt;
use std::str::FromStr;

use phonenumber::Type;
use phonenumber::country::Id as CountryId;
use phonenumber::metadata::DATABASE;

/// The region whose national numbers are understood: an ISO 3166 alpha-2 code. India unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region(CountryId);

/// A text that is not the code of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown region, expected two letters as in ISO 3166, for example IN")]
pub struct UnknownRegion;

impl Default for Region {
    fn default() -> Self {
        Self(CountryId::IN)
    }
}

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_ascii_uppercase()
            .parse()
            .map(Self)
            .map_err(|_| UnknownRegion)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref())
    }
}

serde_as_text!(Region);

/// A phone number in E.164. Shown masked everywhere; the digits come out only by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

/// What to do about a phone number that cannot be used. Never contains the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPhoneNumber {
    #[error(
        "the phone number has characters other than digits, spaces and dashes: send one number, for example +919876543210"
    )]
    NotANumber,
    #[error(
        "the phone number does not exist in its country's number plan: check the digits and the country code"
    )]
    NotInPlan,
    #[error("the phone number cannot be a mobile: send the patient's mobile number")]
    NotMobile,
}

/// E.164 allows fifteen digits; no country has complete numbers of fewer than seven.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// What takes precedence over being a mobile.
const SPECIAL: [Type; 8] = [
    Type::PremiumRate,
    Type::TollFree,
    Type::SharedCost,
    Type::Voip,
    Type::PersonalNumber,
    Type::Pager,
    Type::Uan,
    Type::Voicemail,
];

impl PhoneNumber {
    /// Understands national numbers of `region` and international ones (`+`, `00` or bare country code),
    /// with the usual separators. The number must be a mobile, or possibly one, in its country's plan.
    pub fn parse(raw: &str, region: Region) -> Result<Self, InvalidPhoneNumber> {
        let compact = compact(raw).ok_or(InvalidPhoneNumber::NotANumber)?;
        // An international number is not to be read by the rules of another country: its zeros may be its own.
        let region = (!compact.starts_with('+')).then_some(region.0);
        let number =
            phonenumber::parse(region, &compact).map_err(|_| InvalidPhoneNumber::NotInPlan)?;
        let national = number.national().to_string();
        if may_be_mobile(&number, &national) {
            Ok(Self(format!("+{}{national}", number.code().value())))
        } else if number.is_valid() {
            Err(InvalidPhoneNumber::NotMobile)
        } else {
            Err(InvalidPhoneNumber::NotInPlan)
        }
    }

    /// The provider's form, without plus. It knows its own numbers: only the shape is checked.
    pub fn from_wa_id(digits: &str) -> Result<Self, InvalidPhoneNumber> {
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        if DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(format!("+{digits}")))
        } else {
            Err(InvalidPhoneNumber::NotANumber)
        }
    }

    /// With plus. For the provider's request and the encrypted column, nowhere else.
    pub fn as_e164(&self) -> &str {
        &self.0
    }

    /// Without plus.
    pub fn digits(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }

    /// Loads the number plans, which takes a fifth of a second: call it before serving.
    pub fn warm() {
        let _number = Self::parse("+919876543210", Region::default());
    }
}

/// Two leading and four trailing digits, as in `+91•••••3210`.
impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        let head = digits.get(..2).unwrap_or_default();
        let tail = digits
            .get(digits.len().saturating_sub(4)..)
            .unwrap_or_default();
        write!(f, "+{head}•••••{tail}")
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether its country's plan has this national number among the mobiles, and in no special class. With its leading zeros,
/// which `PhoneNumber::number_type` forgets.
fn may_be_mobile(number: &phonenumber::PhoneNumber, national: &str) -> bool {
    let Some(plan) = number.metadata(&DATABASE) else {
        return false;
    };
    let is = |kind| {
        let class = plan.descriptors().get(kind);
        class.is_some_and(|class| class.is_match(national))
    };
    plan.descriptors().general().is_match(national)
        && is(Type::Mobile)
        && !SPECIAL.into_iter().any(is)
}

/// Digits with an optional leading plus; `None` if anything but separators is left.
fn compact(raw: &str) -> Option<String> {
    let mut compact = String::with_capacity(raw.len());
    for character in raw.chars().filter(|character| !is_separator(*character)) {
        match character {
            '0'..='9' => compact.push(character),
            '+' if compact.is_empty() => compact.push('+'),
            _ => return None,
        }
    }
    match compact.strip_prefix("00") {
        Some(international) => Some(format!("+{international}")),
        None => Some(compact),
    }
    .filter(|number| number.bytes().any(|byte| byte.is_ascii_digit()))
}

/// Also the dashes, spaces and invisible marks that come with text copied from documents.
fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}'
                | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}'
        )
}
