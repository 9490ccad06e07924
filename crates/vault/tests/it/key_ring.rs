use secrecy::ExposeSecret;
use uuid::Uuid;
use vault::{KeyRing, VaultError, WrappedKey};

use crate::{NAME, OTHER_TENANT, TENANT, flip, ring};

fn parse(master_keys: &str, index_key: &str) -> Result<KeyRing, VaultError> {
    KeyRing::parse(&master_keys.into(), &index_key.into())
}

#[test]
fn a_stored_data_key_opens_what_it_sealed() {
    let ring = ring(&[&KeyRing::generate_spec()]);
    for owner in [TENANT, Uuid::nil()] {
        let (key, wrapped) = ring.new_data_key(owner);
        let stored = WrappedKey::from_bytes(&wrapped.to_bytes()).unwrap();
        let again = ring.unwrap(&stored, owner).unwrap();
        let sealed = key.seal(&NAME, b"Asha Rao");
        assert_eq!(*again.open(&NAME, &sealed).unwrap(), b"Asha Rao");
    }
}

#[test]
fn a_data_key_opens_only_for_its_owner() {
    let ring = ring(&[&KeyRing::generate_spec()]);
    let (_, wrapped) = ring.new_data_key(TENANT);
    assert_eq!(
        ring.unwrap(&wrapped, OTHER_TENANT).unwrap_err(),
        VaultError::Tampered
    );
}

#[test]
fn any_flipped_bit_of_a_stored_data_key_is_refused() {
    let ring = ring(&[&KeyRing::generate_spec()]);
    let bytes = ring.new_data_key(TENANT).1.to_bytes();
    for bit in 0..bytes.len() * 8 {
        let opened = WrappedKey::from_bytes(&flip(&bytes, bit))
            .and_then(|wrapped| ring.unwrap(&wrapped, TENANT));
        assert!(opened.is_err(), "bit {bit}");
    }
}

#[test]
fn rotation_keeps_old_data_readable_and_lets_the_old_key_go() {
    let (old, new) = (KeyRing::generate_spec(), KeyRing::generate_spec());
    let (key, before) = ring(&[&old]).new_data_key(TENANT);
    let sealed = key.seal(&NAME, b"Asha Rao");

    let both = ring(&[&new, &old]);
    let read = both.unwrap(&before, TENANT).unwrap();
    assert_eq!(*read.open(&NAME, &sealed).unwrap(), b"Asha Rao");

    let after = both.rewrap(&before, TENANT).unwrap().unwrap();
    assert_eq!(after.master_key_id(), both.primary_id());
    assert_eq!(both.rewrap(&after, TENANT).unwrap(), None);

    let only_new = ring(&[&new]);
    let read = only_new.unwrap(&after, TENANT).unwrap();
    assert_eq!(*read.open(&NAME, &sealed).unwrap(), b"Asha Rao");
    assert_eq!(
        only_new.unwrap(&before, TENANT).unwrap_err(),
        VaultError::UnknownMasterKey(before.master_key_id().to_owned())
    );
}

#[test]
fn rewrapping_for_another_owner_is_refused() {
    let (old, new) = (KeyRing::generate_spec(), KeyRing::generate_spec());
    let (_, wrapped) = ring(&[&old]).new_data_key(TENANT);
    assert_eq!(
        ring(&[&new, &old]).rewrap(&wrapped, OTHER_TENANT),
        Err(VaultError::Tampered)
    );
}

#[test]
fn blind_indexes_depend_on_index_key_context_and_value_alone() {
    let (master_key, index_key) = (KeyRing::generate_spec(), KeyRing::generate_index_key());
    let ring = parse(&master_key, &index_key).unwrap();
    let index = ring.blind_index("phone", "+919800000001");

    let rotated = parse(&KeyRing::generate_spec(), &index_key).unwrap();
    assert_eq!(rotated.blind_index("phone", "+919800000001"), index);

    assert_ne!(ring.blind_index("phone", "+919800000002"), index);
    assert_ne!(ring.blind_index("email", "+919800000001"), index);
    assert_ne!(ring.blind_index("phone+", "919800000001"), index);
    let foreign = parse(&master_key, &KeyRing::generate_index_key()).unwrap();
    assert_ne!(foreign.blind_index("phone", "+919800000001"), index);
}

#[test]
fn a_key_file_may_have_white_space_around_its_entries() {
    let (first, second) = (KeyRing::generate_spec(), KeyRing::generate_spec());
    let index_key = format!("{}\n", KeyRing::generate_index_key());
    let ring = parse(&format!(" {first},\n {second}\n"), &index_key).unwrap();
    assert!(first.starts_with(&format!("{}:", ring.primary_id())));
}

#[test]
fn bad_keys_are_refused_by_position_and_never_shown() {
    let good = KeyRing::generate_spec();
    let (_, key) = good.split_once(':').unwrap();
    let cases = [
        (String::new(), 1),
        (key.to_owned(), 1),
        (format!(":{key}"), 1),
        (format!("{}:{key}", "k".repeat(33)), 1),
        (format!("a b:{key}"), 1),
        (format!("{good},k2:{}", key.split_at(40).0), 2),
        (format!("{good},k2:{key}{key}"), 2),
        (format!("{good},"), 2),
    ];
    for (spec, position) in cases {
        let error = parse(&spec, key).unwrap_err();
        assert_eq!(error, VaultError::InvalidMasterKey { position }, "{spec}");
    }
    assert_eq!(
        parse(&format!("k1:{key},k1:{key}"), key).unwrap_err(),
        VaultError::DuplicateMasterKey("k1".to_owned())
    );
    assert_eq!(
        parse(&good, "c2hvcnQ=").unwrap_err(),
        VaultError::InvalidIndexKey
    );
}

#[test]
fn debug_output_shows_no_key() {
    let spec = KeyRing::generate_spec();
    let (id, _) = spec.split_once(':').unwrap();
    let ring = ring(&[&spec]);
    let (key, wrapped) = ring.new_data_key(TENANT);
    assert_eq!(format!("{key:?}"), "DataKey(..)");
    assert_eq!(
        format!("{wrapped:?}"),
        format!("WrappedKey {{ master_key_id: {id:?}, .. }}")
    );
    assert_eq!(
        format!("{ring:?}"),
        format!("KeyRing {{ primary: {id:?}, others: [], .. }}")
    );
}

#[test]
fn callback_secrets_are_in_standard_webhooks_form_and_differ() {
    let (one, two) = (vault::random_secret(), vault::random_secret());
    let encoded = one.expose_secret().strip_prefix("whsec_").unwrap();
    assert!(encoded.len() == 44 && encoded.ends_with('='));
    assert_ne!(one.expose_secret(), two.expose_secret());
    assert!(!format!("{one:?}").contains(encoded));
}
