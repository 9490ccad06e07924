use proptest::prelude::*;
use vault::{Context, VaultError};

use crate::{NAME, OTHER_TENANT, TENANT, data_key, flip};

proptest! {
    #[test]
    fn what_was_sealed_opens(plaintext: Vec<u8>) {
        let key = data_key();
        let sealed = key.seal(&NAME, &plaintext);
        prop_assert_eq!(&*key.open(&NAME, &sealed).unwrap(), &plaintext);
    }

    #[test]
    fn a_cut_value_is_refused(plaintext: Vec<u8>, cut: prop::sample::Index) {
        let key = data_key();
        let sealed = key.seal(&NAME, &plaintext);
        prop_assert!(key.open(&NAME, sealed.split_at(cut.index(sealed.len())).0).is_err());
    }
}

#[test]
fn any_flipped_bit_is_refused() {
    let key = data_key();
    let sealed = key.seal(&NAME, b"Asha Rao");
    for bit in 0..sealed.len() * 8 {
        assert!(key.open(&NAME, &flip(&sealed, bit)).is_err(), "bit {bit}");
    }
}

#[test]
fn a_value_opens_only_for_its_owner_and_column() {
    let key = data_key();
    let sealed = key.seal(&NAME, b"Asha Rao");
    for elsewhere in [
        Context::new(OTHER_TENANT, NAME.column),
        Context::new(TENANT, "patient.phone"),
        Context::new(TENANT, ""),
    ] {
        assert_eq!(
            key.open(&elsewhere, &sealed).unwrap_err(),
            VaultError::Tampered
        );
    }
    assert_eq!(
        data_key().open(&NAME, &sealed).unwrap_err(),
        VaultError::Tampered
    );
}

#[test]
fn equal_values_are_sealed_differently() {
    let key = data_key();
    assert_ne!(key.seal(&NAME, b"same"), key.seal(&NAME, b"same"));
}
