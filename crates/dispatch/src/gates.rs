use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::Scope;
use storage::work::Pause;

/// Whether a flow may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// These pauses are over: one may try whether their cause is, too, who gets the turn of all of them.
    Try(Vec<Scope>),
    /// Until an instant, or until what the flow has in hand comes back.
    Shut(Option<DateTime<Utc>>),
}

/// The pauses that hold in one turn of the releaser.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    shut_until: HashMap<Scope, DateTime<Utc>>,
}

impl Gates {
    pub(crate) fn new(pauses: Vec<Pause>) -> Self {
        let shut_until = pauses.into_iter().map(|pause| {
            let until = pause.tried_until.unwrap_or(pause.until).max(pause.until);
            (pause.scope, until)
        });
        Self {
            shut_until: shut_until.collect(),
        }
    }

    /// What the flow that depends on these scopes may do.
    pub(crate) fn pass(&self, scopes: &[Scope], may_try: bool, now: DateTime<Utc>) -> Gate {
        let paused = || {
            let until = scopes
                .iter()
                .filter_map(|it| Some((it, self.shut_until.get(it)?)));
            until.map(|(scope, until)| (scope, *until))
        };
        match paused().map(|(_, until)| until).max() {
            None => Gate::Open,
            Some(until) if until > now => Gate::Shut(Some(until)),
            Some(_) if !may_try => Gate::Shut(None),
            Some(_) => Gate::Try(paused().map(|(scope, _)| scope.clone()).collect()),
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
            tried_until: None,
        };
        Gates::new(pauses.iter().map(pause).collect())
    }

    #[test]
    fn a_flow_waits_for_the_longest_pause_among_its_scopes_and_for_no_other() {
        let gates = gates(&[("a", 10), ("b", 20)]);
        let both = [Scope::app("a"), Scope::app("b")];
        assert_eq!(gates.pass(&both, true, at(5)), Gate::Shut(Some(at(20))));
        assert_eq!(gates.pass(&both, true, at(15)), Gate::Shut(Some(at(20))));
        assert_eq!(gates.pass(&[Scope::app("c")], false, at(5)), Gate::Open);
    }

    #[test]
    fn after_a_pause_one_may_try_who_has_nothing_in_hand() {
        let gates = gates(&[("a", 10)]);
        let scopes = [Scope::app("a"), Scope::app("b")];
        assert_eq!(gates.pass(&scopes, false, at(10)), Gate::Shut(None));
        let turn = Gate::Try(vec![Scope::app("a")]);
        assert_eq!(gates.pass(&scopes, true, at(10)), turn);
    }

    #[test]
    fn while_somebody_tries_nobody_else_does() {
        let gates = Gates::new(vec![Pause {
            scope: Scope::app("a"),
            until: at(10),
            tried_until: Some(at(15)),
        }]);
        let scopes = [Scope::app("a")];
        assert_eq!(gates.pass(&scopes, true, at(14)), Gate::Shut(Some(at(15))));
        assert!(matches!(gates.pass(&scopes, true, at(15)), Gate::Try(_)));
    }
}
