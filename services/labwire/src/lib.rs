//! All services in one process, and the operator's commands. Composes; owns no behaviour of its own but the demo's.

pub mod all;
mod cli;
pub mod demo;
mod operator;

pub use cli::main;
