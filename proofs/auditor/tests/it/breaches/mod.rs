//! For each kind of breach: just that is broken, and exactly that is reported.

mod callbacks;
mod duplicated;
mod lost;
mod misdirected;
mod unasked;
mod unexplained;
mod unresolved;
mod wrong_state;
