use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::Scope;
use storage::work::Pause;

/// Whether a flow may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// A pause is over: one may try whether its cause is, too.
    One,
    /// Until an instant, or until whoever is trying has come back.
    Shut(Option<DateTime<Utc>>),
}

/// The pauses that hold in one turn of the releaser.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    until: HashMap<Scope, DateTime<Utc>>,
    tried: HashSet<Scope>,
}

impl Gates {
    pub(crate) fn new(pauses: Vec<Pause>) -> Self {
        Self {
            until: pauses.into_iter().map(|p| (p.scope, p.until)).collect(),
            tried: HashSet::new(),
        }
    }

    /// What the flow that depends on these scopes may do. Whoever `may_try` and is told `One` has taken the turn of all who
    /// share the scope.
    pub(crate) fn pass(&mut self, scopes: &[Scope], may_try: bool, now: DateTime<Utc>) -> Gate {
        let paused = || scopes.iter().filter(|scope| self.until.contains_key(scope));
        let last = paused().filter_map(|scope| self.until.get(scope)).max();
        match last {
            None => Gate::Open,
            Some(until) if *until > now => Gate::Shut(Some(*until)),
            Some(_) if !may_try || paused().any(|scope| self.tried.contains(scope)) => {
                Gate::Shut(None)
            }
            Some(_) => {
                let taken: Vec<Scope> = paused().cloned().collect();
                self.tried.extend(taken);
                Gate::One
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn gates(pauses: &[(&str, u64)]) -> Gates {
        let pause = |(app, until): &(&str, u64)| Pause {
            scope: Scope::app(app),
            until: at(*until),
        };
        Gates::new(pauses.iter().map(pause).collect())
    }

    #[test]
    fn a_flow_waits_for_the_longest_pause_among_its_scopes_and_for_no_other() {
        let mut gates = gates(&[("a", 10), ("b", 20)]);
        let both = [Scope::app("a"), Scope::app("b")];
        assert_eq!(gates.pass(&both, true, at(5)), Gate::Shut(Some(at(20))));
        assert_eq!(gates.pass(&both, true, at(15)), Gate::Shut(Some(at(20))));
        assert_eq!(gates.pass(&[Scope::app("c")], false, at(5)), Gate::Open);
    }

    #[test]
    fn after_a_pause_one_of_all_who_share_it_may_try() {
        let mut gates = gates(&[("a", 10)]);
        let scopes = [Scope::app("a")];
        assert_eq!(gates.pass(&scopes, false, at(10)), Gate::Shut(None));
        assert_eq!(gates.pass(&scopes, true, at(10)), Gate::One);
        assert_eq!(gates.pass(&scopes, true, at(10)), Gate::Shut(None));
    }
}
