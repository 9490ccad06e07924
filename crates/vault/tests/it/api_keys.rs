use proptest::prelude::*;
use uuid::Uuid;
use vault::{ApiKey, ApiKeyHash, VaultError};

const ID: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_00ab);

#[test]
fn a_key_matches_its_own_hash_only() {
    let (text, hash) = ApiKey::generate(ID);
    let (_, foreign) = ApiKey::generate(ID);
    let parsed = ApiKey::parse(text.expose()).unwrap();
    assert_eq!(parsed.id, ID);
    assert!(parsed.matches(&ApiKeyHash::from_bytes(*hash.as_bytes())));
    assert!(!parsed.matches(&foreign));
}

#[test]
fn the_text_has_the_documented_form() {
    let (text, _) = ApiKey::generate(ID);
    let secret = text
        .expose()
        .strip_prefix("lw_019200000000700080000000000000ab_")
        .unwrap();
    assert_eq!(secret.len(), 43);
}

#[test]
fn a_wrong_secret_under_a_right_id_does_not_match() {
    let (_, hash) = ApiKey::generate(ID);
    let guess = format!("lw_{}_{}", ID.simple(), "A".repeat(43));
    assert!(!ApiKey::parse(&guess).unwrap().matches(&hash));
}

#[test]
fn malformed_keys_are_refused() {
    let secret = "A".repeat(43);
    let id = ID.simple();
    for text in [
        String::new(),
        "lw_".to_owned(),
        format!("lw_{id}"),
        format!("lw_{id}_"),
        format!("LW_{id}_{secret}"),
        format!("lw_{ID}_{secret}"),
        format!("lw_{id}_{secret}A"),
        format!("lw_{id}_{secret}="),
        format!("lw_{id}_{}B", "A".repeat(42)),
        format!(" lw_{id}_{secret}"),
    ] {
        assert_eq!(
            ApiKey::parse(&text).unwrap_err(),
            VaultError::InvalidApiKey,
            "{text}"
        );
    }
}

#[test]
fn debug_output_shows_neither_key_nor_hash() {
    let (text, hash) = ApiKey::generate(ID);
    let parsed = ApiKey::parse(text.expose()).unwrap();
    let secret = text.expose().split_at(36).1;
    assert!(!format!("{text:?}").contains(secret));
    assert_eq!(format!("{hash:?}"), "ApiKeyHash(..)");
    assert_eq!(
        format!("{parsed:?}"),
        format!("ParsedApiKey {{ id: {ID}, hash: ApiKeyHash(..) }}")
    );
}

proptest! {
    #[test]
    fn parsing_anything_does_not_panic(text in "(lw_)?.{0,90}") {
        let refused = ApiKey::parse(&text).is_err();
        prop_assert!(refused);
    }
}
