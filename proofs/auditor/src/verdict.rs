use std::collections::BTreeMap;

use serde::Serialize;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Acknowledged, and gone; or told as sent, and never sent.
    Lost,
    /// Sent again without leave, or one request taken for two.
    Duplicated,
    /// To another phone, from another number, another file, or in another lab's hands.
    Misdirected,
    /// Not at an end when everything else is.
    Unresolved,
    /// At an end that the provider's statuses do not give.
    WrongState,
    /// The LIMS was not told.
    CallbacksMissing,
    /// The LIMS was told what never was.
    CallbacksWrong,
    /// The LIMS cannot know who told it.
    CallbacksForged,
    /// The timeline does not tell all.
    Unexplained,
    /// A message that no LIMS asked for.
    Unasked,
    /// A fault that was planned and never happened: its promise was not tried.
    NeverInjected,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::Lost,
        Self::Duplicated,
        Self::Misdirected,
        Self::Unresolved,
        Self::WrongState,
        Self::CallbacksMissing,
        Self::CallbacksWrong,
        Self::CallbacksForged,
        Self::Unexplained,
        Self::Unasked,
        Self::NeverInjected,
    ];

    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Misdirected => "misdirected",
            Self::Unresolved => "unresolved",
            Self::WrongState => "wrong state",
            Self::CallbacksMissing => "callbacks missing",
            Self::CallbacksWrong => "callbacks wrong",
            Self::CallbacksForged => "callbacks forged",
            Self::Unexplained => "unexplained",
            Self::Unasked => "unasked",
            Self::NeverInjected => "never injected",
        }
    }
}

/// A promise that was not kept.
#[derive(Debug, Clone, Serialize)]
pub struct Breach {
    pub kind: Kind,
    /// The message, if it is about one; else the fault, the callback or the work.
    pub id: String,
    pub why: String,
    /// What each ledger says of the message.
    #[serde(flatten)]
    pub says: Option<Says>,
}

/// What each ledger says of a message, for people: ids, counts and states, never patient data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Says {
    pub lims: String,
    pub provider: String,
    pub database: String,
    pub callbacks: String,
    pub operator: String,
}

/// What happened to the reports that were in flight during one kind of fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub injected: usize,
    pub in_flight: usize,
    pub lost: usize,
    pub duplicated: usize,
    pub misdirected: usize,
    pub unresolved: usize,
    pub wrong_state: usize,
    pub callbacks_missing: usize,
}

impl Tally {
    /// Another report was in flight, and this is what is wrong with it.
    pub(crate) fn add(&mut self, kinds: impl IntoIterator<Item = Kind>) {
        self.in_flight += 1;
        for kind in kinds {
            match kind {
                Kind::Lost => self.lost += 1,
                Kind::Duplicated => self.duplicated += 1,
                Kind::Misdirected => self.misdirected += 1,
                Kind::Unresolved => self.unresolved += 1,
                Kind::WrongState => self.wrong_state += 1,
                Kind::CallbacksMissing => self.callbacks_missing += 1,
                _ => {}
            }
        }
    }
}

/// What is to be said of a run.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub seed: u64,
    /// Messages that the LIMS had acknowledged, and those that came of posts it gave up.
    pub reports: usize,
    /// Posts that were never acknowledged.
    pub gave_up: usize,
    /// Sends that were repeated by leave and counted as such: no breach, but to be shown.
    pub counted_resends: i64,
    pub operator_decisions: usize,
    /// In the order of the plan.
    pub faults: Vec<(String, Tally)>,
    /// Reports that were in flight during no fault.
    pub outside_faults: Tally,
    pub breaches: Vec<Breach>,
}

impl Verdict {
    pub fn is_ok(&self) -> bool {
        self.breaches.is_empty()
    }

    pub fn count(&self, kind: Kind) -> usize {
        self.breaches.iter().filter(|it| it.kind == kind).count()
    }

    /// The report for machines.
    pub fn to_json(&self) -> String {
        let counts = Kind::ALL.into_iter().map(|kind| (kind, self.count(kind)));
        let report = Report {
            seed: self.seed,
            reports: self.reports,
            gave_up: self.gave_up,
            counts: counts.collect(),
            counted_resends: self.counted_resends,
            operator_decisions: self.operator_decisions,
            faults: self
                .faults
                .iter()
                .map(|(name, tally)| (&**name, *tally))
                .collect(),
            outside_faults: self.outside_faults,
            breaches: &self.breaches,
            ok: self.is_ok(),
        };
        serde_json::to_string_pretty(&report).expect("every key is a string")
    }
}

#[derive(Serialize)]
struct Report<'a> {
    seed: u64,
    reports: usize,
    gave_up: usize,
    #[serde(flatten)]
    counts: BTreeMap<Kind, usize>,
    counted_resends: i64,
    operator_decisions: usize,
    faults: BTreeMap<&'a str, Tally>,
    outside_faults: Tally,
    breaches: &'a [Breach],
    ok: bool,
}
