use std::sync::Arc;

use domain::Clock;
use queue::Broker;
use storage::Database;

/// What an engine works with.
#[derive(Clone)]
pub struct Deps {
    pub database: Database,
    pub broker: Broker,
    pub clock: Arc<dyn Clock>,
}
