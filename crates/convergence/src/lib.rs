//! Applies what is learned about messages, from whomever and in any order: state, timeline, callbacks, in one transaction;
//! and what people decide about what could not go on by itself.
//! Owns the one path by which a message's state changes; must not know providers, webhooks or HTTP.

mod announce;
mod dead_letters;
mod learn;
mod resolve;

pub use announce::{announce_inbound, public_code};
pub use dead_letters::{Replayed, discard, replay, replay_matching};
pub use learn::{Changed, Entry, Learned, Verdict, learn};
pub use resolve::{Fate, Resolution, resolve};
