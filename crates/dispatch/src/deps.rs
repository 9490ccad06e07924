use std::sync::Arc;

use domain::Clock;
use queue::Broker;
use storage::Database;

/// What an engine works with.
#[derive(Clone)]
pub struct Deps<S = Database> {
    pub database: S,
    pub broker: Broker,
    pub clock: Arc<dyn Clock>,
}
