use proptest::prelude::*;
use vault::stream::{FRAME_BYTES, Opener, Sealer};
use vault::{Context, DataKey, VaultError};

use crate::{OTHER_TENANT, TENANT, data_key, flip};

const FILE: Context = Context::new(TENANT, "file");
const HEADER: usize = 33;
const SEALED_FRAME: usize = FRAME_BYTES + 16;

fn seal(key: &DataKey, plaintext: &[u8], piece: usize) -> Vec<u8> {
    let mut sealer = Sealer::new(key, &FILE, b"report");
    let mut output = Vec::new();
    for mut input in plaintext.chunks(piece) {
        while let Some(frame) = sealer.push(&mut input) {
            output.extend(frame);
        }
        assert!(input.is_empty());
    }
    output.extend(sealer.finish());
    output
}

fn open_with(mut opener: Opener, sealed: &[u8], piece: usize) -> Result<Vec<u8>, VaultError> {
    let mut plaintext = Vec::new();
    for mut input in sealed.chunks(piece) {
        while let Some(frame) = opener.push(&mut input)? {
            plaintext.extend(frame);
        }
        assert!(input.is_empty());
    }
    plaintext.extend(opener.finish()?);
    Ok(plaintext)
}

fn open(key: &DataKey, sealed: &[u8], piece: usize) -> Result<Vec<u8>, VaultError> {
    open_with(Opener::new(key, &FILE, b"report"), sealed, piece)
}

fn content(size: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..=250).collect();
    let mut content = period.repeat(size / period.len() + 1);
    content.truncate(size);
    content
}

/// Header and frames of a stream, to be put together otherwise.
fn parts(sealed: &[u8]) -> Vec<&[u8]> {
    let (header, frames) = sealed.split_at(HEADER);
    std::iter::once(header)
        .chain(frames.chunks(SEALED_FRAME))
        .collect()
}

#[test]
fn content_of_every_boundary_size_opens() {
    let key = data_key();
    let sizes = (0..3).flat_map(|frames| {
        let size = frames * FRAME_BYTES;
        [size.saturating_sub(1), size, size + 1]
    });
    for size in sizes {
        let plaintext = content(size);
        for piece in [1 << 20, 8192, FRAME_BYTES] {
            let sealed = seal(&key, &plaintext, piece);
            let frames = size.div_ceil(FRAME_BYTES).max(1);
            assert_eq!(sealed.len(), HEADER + size + frames * 16, "size {size}");
            assert!(
                open(&key, &sealed, piece).unwrap() == plaintext,
                "size {size}"
            );
        }
    }
}

#[test]
fn a_stream_cut_anywhere_is_refused() {
    let key = data_key();
    let sealed = seal(&key, &content(2 * FRAME_BYTES + 5), FRAME_BYTES);
    let frame_ends = [HEADER, HEADER + SEALED_FRAME, HEADER + 2 * SEALED_FRAME];
    let near = |end: usize| [end - 1, end, end + 1, end + 16];
    for cut in frame_ends
        .into_iter()
        .flat_map(near)
        .chain([0, 1, sealed.len() - 1])
    {
        let (kept, _) = sealed.split_at(cut);
        assert_eq!(
            open(&key, kept, 8192),
            Err(VaultError::Tampered),
            "cut {cut}"
        );
    }
}

#[test]
fn frames_moved_dropped_repeated_or_appended_are_refused() {
    let key = data_key();
    let sealed = seal(&key, &content(4 * FRAME_BYTES), FRAME_BYTES);
    let [header, a, b, c, last] = parts(&sealed).try_into().unwrap();
    let other = seal(&key, &content(4 * FRAME_BYTES), FRAME_BYTES);
    let [_, _, foreign, _, _] = parts(&other).try_into().unwrap();

    assert!(open(&key, &[header, a, b, c, last].concat(), 8192).is_ok());
    for (what, rearranged) in [
        ("swapped", vec![header, b, a, c, last]),
        ("dropped", vec![header, a, c, last]),
        ("repeated", vec![header, a, a, b, c, last]),
        ("last dropped", vec![header, a, b, c]),
        ("last moved", vec![header, a, b, last]),
        ("appended", vec![header, a, b, c, last, last]),
        ("a byte appended", vec![header, a, b, c, last, &[0]]),
        ("from another stream", vec![header, a, foreign, c, last]),
    ] {
        assert_eq!(
            open(&key, &rearranged.concat(), 8192),
            Err(VaultError::Tampered),
            "{what}"
        );
    }
}

#[test]
fn a_stream_opens_only_with_its_key_owner_column_and_name() {
    let key = data_key();
    let sealed = seal(&key, &content(100), 100);
    let other_key = data_key();
    for opener in [
        Opener::new(&other_key, &FILE, b"report"),
        Opener::new(&key, &Context::new(OTHER_TENANT, "file"), b"report"),
        Opener::new(&key, &Context::new(TENANT, "image"), b"report"),
        Opener::new(&key, &Context::new(TENANT, "filer"), b"eport"),
        Opener::new(&key, &FILE, b"repost"),
    ] {
        assert_eq!(open_with(opener, &sealed, 100), Err(VaultError::Tampered));
    }
}

#[test]
fn any_flipped_bit_of_a_short_stream_is_refused() {
    let key = data_key();
    let sealed = seal(&key, b"%PDF-", 5);
    for bit in 0..sealed.len() * 8 {
        assert!(open(&key, &flip(&sealed, bit), 64).is_err(), "bit {bit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pieces_of_any_size_give_the_same_stream(
        size in 0..3 * FRAME_BYTES,
        sealed_by in 1..200_000_usize,
        opened_by in 1..200_000_usize,
    ) {
        let key = data_key();
        let plaintext = content(size);
        let sealed = seal(&key, &plaintext, sealed_by);
        prop_assert!(open(&key, &sealed, opened_by).unwrap() == plaintext);
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_long_stream_is_refused(bit: prop::sample::Index) {
        let key = data_key();
        let sealed = seal(&key, &content(2 * FRAME_BYTES + 99), 8192);
        prop_assert!(open(&key, &flip(&sealed, bit.index(sealed.len() * 8)), 8192).is_err());
    }
}
