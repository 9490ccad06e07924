//! Stored data outlives the code: what this version wrote, every later one must read.

use vault::stream::Opener;
use vault::{DataKey, KeyRing, WrappedKey};

use crate::{NAME, TENANT};

const MASTER_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const INDEX_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

const WRAPPED: &str = "01026b31e9c2138e7e533c8f4f8f2669f680eda8ab54fe032cbcc24a6719e6e1\
    a1f1870b3c965d7a500cb8fc0e5cd39b3e6a5c9016dd14ca90d5202a15e1bab5";
const VALUE: &str = "01bf530a94b0ff6e4d309b9c118c8ce72b6f6f3f484d1b25757c0b1d8c92a0d9\
    c5ae7199e7";
const STREAM: &str = "01b3db43d4e1d8eb0e10e9b6bd847fbf9c91c671eeba98047a330d0bb7a411a1\
    f25b7ed4a6bf9b32dfd7c56b7620d315bfc577128900257521";
const INDEX: &str = "b4539acc35f12c162591f114a26227cbcfd9eedaa991bcce467596081698165b";

fn ring() -> KeyRing {
    KeyRing::parse(&MASTER_KEYS.into(), &INDEX_KEY.into()).unwrap()
}

fn stored_key() -> DataKey {
    let wrapped = WrappedKey::from_bytes(&hex::decode(WRAPPED).unwrap()).unwrap();
    ring().unwrap(&wrapped, TENANT).unwrap()
}

#[test]
fn a_value_of_the_first_version_opens() {
    let sealed = hex::decode(VALUE).unwrap();
    assert_eq!(*stored_key().open(&NAME, &sealed).unwrap(), b"Asha Rao");
}

#[test]
fn a_stream_of_the_first_version_opens() {
    let sealed = hex::decode(STREAM).unwrap();
    let mut opener = Opener::new(&stored_key(), &NAME, b"report");
    assert_eq!(opener.push(&mut sealed.as_slice()), Ok(None));
    assert_eq!(opener.finish().unwrap(), b"%PDF-1.7");
}

#[test]
fn a_blind_index_of_the_first_version_is_found() {
    let index = ring().blind_index("phone", "+919800000001");
    assert_eq!(hex::encode(index), INDEX);
}
