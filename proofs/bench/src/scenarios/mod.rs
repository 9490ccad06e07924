//! What the platform is asked to do, and how it is looked at.

pub(crate) mod accept;
pub(crate) mod endurance;
pub(crate) mod history;
pub(crate) mod idle;
pub(crate) mod ingest;
pub(crate) mod lifecycle;
pub(crate) mod limits;
pub(crate) mod recovery;
pub(crate) mod steady;
