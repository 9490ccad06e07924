//! The engine: work rows → paced release → this process or, by the broker, another → claim → act → record. One mechanism for all that happens later.
//! Owns pacing, leases, fencing and dead letters; must not know what the work is: a [`Handler`] does.

mod consumer;
mod deps;
mod engine;
mod gates;
mod handler;
mod hints;
mod intake;
pub mod metrics;
mod pacing;
mod pairs;
mod recorder;
mod releaser;
mod settings;
mod store;
mod sweep;
mod wake;

pub use deps::Deps;
pub use engine::Engine;
pub use handler::{Begin, FlowLimits, Handler, LostClaim, Outcome};
pub use hints::publish_hints;
pub use settings::Settings;
pub use storage::work::Claim;
pub use store::{Statements, WorkStore};
