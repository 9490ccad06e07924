//! Encryption of long content in frames, so that neither side holds all of it. Owns the framing;
//! must not know where the bytes come from or go to.
//!
//! Format: version, 32-byte salt, then frames of 64 KiB and a tag, the last one shorter. The salt
//! gives each stream its own key, which leaves the whole nonce to the frame's number and a mark on
//! the last frame: a frame moved, dropped or appended, or taken from another stream, does not open.

use std::mem;

use aes_gcm::aead::Generate;
use hmac::Hmac;
use sha2::Sha256;

use crate::cipher::{Cipher, KEY_BYTES, NONCE_BYTES, TAG_BYTES, derive};
use crate::{Context, DataKey, VaultError};

/// Plaintext bytes in every frame but the last.
pub const FRAME_BYTES: usize = 64 * 1024;

const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 1 + KEY_BYTES;
const SEALED_FRAME_BYTES: usize = FRAME_BYTES + TAG_BYTES;

#[derive(Clone, Copy)]
enum Place {
    Inner = 0,
    Last = 1,
}

struct Frames {
    cipher: Cipher,
    count: u64,
}

impl Frames {
    fn new(binding: Hmac<Sha256>, salt: &[u8]) -> Self {
        Self {
            cipher: Cipher::new(&derive(binding, salt)),
            count: 0,
        }
    }

    fn next_nonce(&mut self, place: Place) -> [u8; NONCE_BYTES] {
        let number = self.count;
        self.count += 1;
        let mut nonce = [0; NONCE_BYTES];
        let (head, tail) = nonce.split_at_mut(8);
        head.copy_from_slice(&number.to_be_bytes());
        tail.copy_from_slice(&(place as u32).to_be_bytes());
        nonce
    }
}

/// Plaintext in, sealed stream out.
pub struct Sealer {
    frames: Frames,
    buffer: Vec<u8>,
    /// Where plaintext starts in the buffer: behind the header in the first frame, else at 0.
    start: usize,
}

impl Sealer {
    /// `object` names what is sealed within the context; only the same name opens it.
    pub fn new(key: &DataKey, context: &Context, object: &[u8]) -> Self {
        let salt: [u8; KEY_BYTES] = Generate::generate();
        let mut buffer = Vec::with_capacity(HEADER_BYTES + SEALED_FRAME_BYTES);
        buffer.push(FORMAT);
        buffer.extend_from_slice(&salt);
        Self {
            frames: Frames::new(key.stream_binding(context, object), &salt),
            start: buffer.len(),
            buffer,
        }
    }

    /// Takes from `input` and returns output whenever a frame is full. Call it until it returns
    /// `None`: then all of `input` is taken.
    pub fn push(&mut self, input: &mut &[u8]) -> Option<Vec<u8>> {
        fill(&mut self.buffer, self.start + FRAME_BYTES, input);
        // A full frame waits until more input shows that it is not the last.
        (!input.is_empty()).then(|| self.seal(Place::Inner))
    }

    /// The rest of the stream.
    pub fn finish(mut self) -> Vec<u8> {
        self.seal(Place::Last)
    }

    fn seal(&mut self, place: Place) -> Vec<u8> {
        let next = match place {
            Place::Inner => Vec::with_capacity(SEALED_FRAME_BYTES),
            Place::Last => Vec::new(),
        };
        let mut frame = mem::replace(&mut self.buffer, next);
        let start = mem::take(&mut self.start);
        let nonce = self.frames.next_nonce(place);
        self.frames.cipher.seal_tail(&nonce, &[], &mut frame, start);
        frame
    }
}

/// Sealed stream in, plaintext out.
///
/// What [`push`](Self::push) returns is authentic, but only [`finish`](Self::finish) tells that
/// it was all.
pub struct Opener {
    binding: Hmac<Sha256>,
    /// `None` until the header is read.
    frames: Option<Frames>,
    buffer: Vec<u8>,
}

impl Opener {
    pub fn new(key: &DataKey, context: &Context, object: &[u8]) -> Self {
        Self {
            binding: key.stream_binding(context, object),
            frames: None,
            buffer: Vec::new(),
        }
    }

    /// Takes from `input` and returns output whenever a frame is full. Call it until it returns
    /// `None`: then all of `input` is taken.
    pub fn push(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        loop {
            let full = match self.frames {
                None => HEADER_BYTES,
                Some(_) => SEALED_FRAME_BYTES,
            };
            fill(&mut self.buffer, full, input);
            if input.is_empty() {
                return Ok(None);
            }
            let whole = mem::take(&mut self.buffer);
            match &mut self.frames {
                None => self.frames = Some(self.read_header(&whole)?),
                Some(frames) => return open(frames, Place::Inner, whole).map(Some),
            }
        }
    }

    /// The rest of the plaintext, or an error if this is not where the stream was ended.
    pub fn finish(self) -> Result<Vec<u8>, VaultError> {
        let mut frames = self.frames.ok_or(VaultError::Tampered)?;
        open(&mut frames, Place::Last, self.buffer)
    }

    fn read_header(&self, header: &[u8]) -> Result<Frames, VaultError> {
        match header {
            [FORMAT, salt @ ..] => Ok(Frames::new(self.binding.clone(), salt)),
            _ => Err(VaultError::UnknownFormat),
        }
    }
}

fn open(frames: &mut Frames, place: Place, mut frame: Vec<u8>) -> Result<Vec<u8>, VaultError> {
    let nonce = frames.next_nonce(place);
    frames.cipher.open_in_place(&nonce, &[], &mut frame)?;
    Ok(frame)
}

fn fill(buffer: &mut Vec<u8>, full: usize, input: &mut &[u8]) {
    let room = full.saturating_sub(buffer.len());
    let (taken, rest) = input.split_at(room.min(input.len()));
    buffer.extend_from_slice(taken);
    *input = rest;
}
