//! The judgement: pure, from the ledgers to a verdict. Owns what counts as a breach.

mod book;
mod case;
mod checks;
mod evidence;
mod faults;
mod loose_ends;

use book::Book;
use case::Case;
use faults::Faults;

use crate::{
    callbacks,
    ledgers::{Answer, Ledgers},
    verdict::{Breach, Kind, Verdict},
};

type Check = fn(&Case<'_>) -> Option<String>;

/// What every message is held to. At most one breach of a kind for each message.
const CHECKS: [(Kind, Check); 8] = [
    (Kind::Lost, checks::lost),
    (Kind::Duplicated, checks::duplicated),
    (Kind::Misdirected, checks::misdirected),
    (Kind::Unresolved, checks::unresolved),
    (Kind::WrongState, checks::wrong_state),
    (Kind::CallbacksMissing, checks::callbacks_missing),
    (Kind::CallbacksWrong, checks::callbacks_wrong),
    (Kind::Unexplained, checks::unexplained),
];

/// Compares the ledgers of a run.
pub fn audit(ledgers: &Ledgers) -> Verdict {
    let (callbacks, forged) = callbacks::verify(ledgers);
    let book = Book::new(ledgers, &callbacks);
    let mut faults = Faults::new(&ledgers.run);
    let mut breaches = Vec::new();
    for case in &book.cases {
        let found = examine(case);
        faults.add(case, &found);
        breaches.extend(found);
    }
    breaches.extend(loose_ends::find(&book, &callbacks, &forged));
    breaches.extend(faults.never_injected());
    let resends = book.cases.iter().filter_map(|case| case.row);
    let gave_up = ledgers.lims.iter().filter(|it| it.answer == Answer::GaveUp);
    Verdict {
        seed: ledgers.run.seed,
        reports: book.cases.len(),
        gave_up: gave_up.count(),
        counted_resends: resends.map(|row| i64::from(row.resends)).sum(),
        operator_decisions: ledgers.operator.len(),
        outside_faults: faults.outside,
        faults: faults.into_tallies(),
        breaches,
    }
}

fn examine(case: &Case<'_>) -> Vec<Breach> {
    CHECKS
        .iter()
        .filter_map(|(kind, check)| {
            Some(Breach {
                kind: *kind,
                why: check(case)?,
                id: case.message_id.to_string(),
                says: Some(case.says()),
            })
        })
        .collect()
}
