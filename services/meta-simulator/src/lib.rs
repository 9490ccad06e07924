//! A local WhatsApp Cloud API that behaves as Meta's does, with faults to order and a page that shows the patient's phone.
//! Knows nothing of the platform that talks to it: what it checks, it knows from Meta's documents alone.

mod clock;
mod config;
mod control;
mod conversation;
mod delivery;
mod engine;
mod errors;
mod faults;
mod graph;
mod inbound;
mod json;
mod ledger;
mod phone_page;
mod seed;
mod server;
mod simulator;
mod validate;
mod webhooks;
mod world;

pub use clock::Clock;
pub use config::{Config, Limits, Timing, Webhooks};
pub use conversation::{Conversation, Summary};
pub use faults::{Effect, Endpoint, Fault, Faults};
pub use inbound::{Inbound, InboundContent, InboundError};
pub use ledger::{Entry, Fate, Ledger};
pub use seed::{App, Business, Number, NumberState, Recipient, Seed, Template, Token};
pub use simulator::{Simulator, start};
pub use webhooks::HandshakeError;
pub use world::{Attachment, Choice, Direction, Event, Message, Status};
