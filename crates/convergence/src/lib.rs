//! Applies what is learned about messages, from whomever and in any order: state, timeline, callbacks, in one transaction.
//! Owns the one path by which a message's state changes; must not know providers, webhooks or HTTP.

mod announce;
mod learn;

pub use announce::{announce_inbound, public_code};
pub use learn::{Changed, Entry, Learned, learn};
