use std::fmt::{self, Display, Formatter};

use crate::verdict::{Breach, Kind, Says, Tally, Verdict};

/// How many breaches are told in full; the rest are counted.
const TOLD: usize = 20;

/// The columns of the table that follow the fault's name.
const COLUMNS: [&str; 8] = [
    "injected",
    "in flight",
    "lost",
    "duplicated",
    "misdirected",
    "unresolved",
    "wrong state",
    "callbacks missing",
];

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.table(f)?;
        writeln!(
            f,
            "\nseed {}; {} reports, {} posts given up; {} counted resends, {} decisions of an operator",
            self.seed, self.reports, self.gave_up, self.counted_resends, self.operator_decisions
        )?;
        if self.is_ok() {
            return writeln!(f, "every promise was kept");
        }
        for breach in told(&self.breaches) {
            write!(f, "\n{breach}")?;
        }
        writeln!(f, "\n{} breaches:", self.breaches.len())?;
        for kind in Kind::ALL {
            let count = self.count(kind);
            if count > 0 {
                writeln!(f, "  {count} {}", kind.words())?;
            }
        }
        Ok(())
    }
}

impl Verdict {
    fn table(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let all = Tally {
            injected: self.faults.iter().map(|(_, tally)| tally.injected).sum(),
            in_flight: self.reports,
            lost: self.count(Kind::Lost),
            duplicated: self.count(Kind::Duplicated),
            misdirected: self.count(Kind::Misdirected),
            unresolved: self.count(Kind::Unresolved),
            wrong_state: self.count(Kind::WrongState),
            callbacks_missing: self.count(Kind::CallbacksMissing),
        };
        let faults = self.faults.iter().map(|(name, tally)| (&**name, tally));
        let rows: Vec<(&str, &Tally)> = faults
            .chain([("(during none)", &self.outside_faults), ("(all)", &all)])
            .collect();
        let names = rows.iter().map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or_default();
        writeln!(f, "{:width$}  {}", "fault", COLUMNS.join("  "))?;
        for (name, tally) in rows {
            write!(f, "{name:width$}")?;
            for (column, count) in COLUMNS.iter().zip(tally.columns()) {
                write!(f, "  {count:>0$}", column.len())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Tally {
    fn columns(&self) -> [usize; 8] {
        [
            self.injected,
            self.in_flight,
            self.lost,
            self.duplicated,
            self.misdirected,
            self.unresolved,
            self.wrong_state,
            self.callbacks_missing,
        ]
    }
}

/// The kinds take turns, so that a thousand of one do not hide one of another.
fn told(breaches: &[Breach]) -> impl Iterator<Item = &Breach> {
    let by_kind = Kind::ALL.map(|kind| -> Vec<&Breach> {
        let of_kind = breaches.iter().filter(|it| it.kind == kind);
        of_kind.take(TOLD).collect()
    });
    (0..TOLD)
        .flat_map(move |turn| {
            let turns = by_kind.each_ref().map(|list| list.get(turn).copied());
            turns.into_iter().flatten()
        })
        .take(TOLD)
}

impl Display for Breach {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}: {}", self.kind.words(), self.id, self.why)?;
        let Some(says) = &self.says else {
            return Ok(());
        };
        let Says {
            lims,
            provider,
            database,
            callbacks,
            operator,
        } = says;
        writeln!(f, "  LIMS: {lims}")?;
        writeln!(f, "  provider: {provider}")?;
        writeln!(f, "  database: {database}")?;
        writeln!(f, "  callbacks: {callbacks}")?;
        writeln!(f, "  operator: {operator}")
    }
}
