#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod api_keys;
mod formats;
mod key_ring;
mod stream;
mod values;

use uuid::Uuid;
use vault::{Context, DataKey, KeyRing};

const TENANT: Uuid = Uuid::from_u128(0x01);
const OTHER_TENANT: Uuid = Uuid::from_u128(0x02);
const NAME: Context = Context::new(TENANT, "patient.name");

fn ring(master_keys: &[&str]) -> KeyRing {
    let index_key = KeyRing::generate_index_key();
    KeyRing::parse(&master_keys.join(",").into(), &index_key.into()).unwrap()
}

fn data_key() -> DataKey {
    ring(&[&KeyRing::generate_spec()]).new_data_key(TENANT).0
}

fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    *flipped.get_mut(bit / 8).unwrap() ^= 1 << (bit % 8);
    flipped
}
