//! What the machine's database and broker do at best, and what a pipeline does that is built without thought.

pub(crate) mod broker;
pub(crate) mod naive;
pub(crate) mod postgres;
