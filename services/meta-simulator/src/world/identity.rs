use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::phone::calling_code;

use crate::json::Fields;

/// Someone as one portfolio sees them.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) wa_id: String,
    pub(crate) user_id: String,
    pub(crate) name: Option<String>,
    pub(crate) username: Option<String>,
}

impl Person {
    /// An element of a webhook's `contacts`.
    pub(crate) fn contact(&self, phone_visible: bool, profile: bool) -> Value {
        let mut contact = json!({ "user_id": self.user_id });
        if phone_visible {
            contact.set("wa_id", self.wa_id.as_str());
        }
        if profile || self.username.is_some() {
            let mut profile = json!({ "name": self.name.as_deref().unwrap_or("Patient") });
            if let Some(username) = &self.username {
                profile.set("username", username.as_str());
            }
            contact.set("profile", profile);
        }
        contact
    }
}

const COUNTRIES: &[(&str, &str)] = &[
    ("1", "US"),
    ("7", "RU"),
    ("20", "EG"),
    ("27", "ZA"),
    ("33", "FR"),
    ("34", "ES"),
    ("39", "IT"),
    ("44", "GB"),
    ("49", "DE"),
    ("52", "MX"),
    ("55", "BR"),
    ("60", "MY"),
    ("61", "AU"),
    ("62", "ID"),
    ("63", "PH"),
    ("65", "SG"),
    ("91", "IN"),
    ("92", "PK"),
    ("94", "LK"),
    ("234", "NG"),
    ("254", "KE"),
    ("880", "BD"),
    ("966", "SA"),
    ("971", "AE"),
    ("977", "NP"),
];

/// The business-scoped user id: the same person has another one in another portfolio.
pub(super) fn user_id(portfolio: &str, wa_id: &str) -> String {
    let code = calling_code(wa_id);
    let country = COUNTRIES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or("ZZ", |(_, country)| country);
    let digest = Sha256::new()
        .chain_update(portfolio)
        .chain_update([0])
        .chain_update(wa_id)
        .finalize();
    let number = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{country}.{:014}", number % 100_000_000_000_000)
}

/// Whether this has the shape of a business-scoped user id, of a parent account's too.
pub(crate) fn is_user_id(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else {
        return false;
    };
    let rest = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=128).contains(&rest.len())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A message id in Meta's shape: the other side's phone, a direction and a unique part, in base64.
pub(crate) fn wamid(wa_id: &str, outbound: bool, sequence: u64) -> String {
    let digest = Sha256::new()
        .chain_update(wa_id)
        .chain_update(sequence.to_be_bytes())
        .finalize();
    let unique: String = hex::encode_upper(digest).chars().take(20).collect();
    let mut bytes = vec![0x1c, 0x18, u8::try_from(wa_id.len()).unwrap_or_default()];
    bytes.extend_from_slice(wa_id.as_bytes());
    bytes.extend_from_slice(&[
        0x15,
        0x02,
        0x00,
        if outbound { 0x11 } else { 0x12 },
        0x18,
        0x14,
    ]);
    bytes.extend_from_slice(unique.as_bytes());
    bytes.push(0);
    format!("wamid.{}", BASE64_STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_another_id_in_another_portfolio() {
        let ids = [user_id("a", "919876543210"), user_id("b", "919876543210")];
        assert_ne!(ids[0], ids[1]);
        assert!(
            ids.iter().all(|id| is_user_id(id) && id.starts_with("IN.")),
            "{ids:?}"
        );
    }

    #[test]
    fn user_ids_are_told_from_phones() {
        let accepted = [
            "US.13491208655302741918",
            "US.ENT.11815799212886844830",
            "+16505551234",
            "us.1",
            "US.",
        ]
        .map(is_user_id);
        assert_eq!(accepted, [true, true, false, false, false]);
    }

    #[test]
    fn message_ids_begin_as_those_of_meta_do() {
        assert!(wamid("16505551234", true, 1).starts_with("wamid.HBgL"));
        assert_ne!(wamid("16505551234", true, 1), wamid("16505551234", true, 2));
    }
}
