use std::collections::HashMap;

use super::case::Case;
use crate::{
    ledgers::{Episode, Run},
    verdict::{Breach, Kind, Tally},
};

/// Counts reports, and what is wrong with them, under every fault during which they were in flight.
pub(super) struct Faults<'a> {
    faults: Vec<(&'a str, Vec<&'a Episode>, Tally)>,
    pub(super) outside: Tally,
}

impl<'a> Faults<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        let mut episodes: HashMap<&str, Vec<&Episode>> = HashMap::new();
        for episode in &run.episodes {
            episodes.entry(&episode.fault).or_default().push(episode);
        }
        let fault = |name: &'a str| {
            let episodes = episodes.remove(name).unwrap_or_default();
            let tally = Tally {
                injected: episodes.len(),
                ..Tally::default()
            };
            (name, episodes, tally)
        };
        Self {
            faults: run.faults.iter().map(|it| &*it.name).map(fault).collect(),
            outside: Tally::default(),
        }
    }

    pub(super) fn add(&mut self, case: &Case<'_>, breaches: &[Breach]) {
        let kinds = || breaches.iter().map(|it| it.kind);
        let mut is_outside = true;
        for (_, episodes, tally) in &mut self.faults {
            if episodes.iter().any(|episode| was_in_flight(case, episode)) {
                tally.add(kinds());
                is_outside = false;
            }
        }
        if is_outside {
            self.outside.add(kinds());
        }
    }

    pub(super) fn never_injected(&self) -> Vec<Breach> {
        let never = self
            .faults
            .iter()
            .filter(|(_, episodes, _)| episodes.is_empty());
        never
            .map(|(name, ..)| Breach {
                kind: Kind::NeverInjected,
                id: (*name).to_owned(),
                why: "the run names it and it never happened".to_owned(),
                says: None,
            })
            .collect()
    }

    pub(super) fn into_tallies(self) -> Vec<(String, Tally)> {
        let faults = self.faults.into_iter();
        faults
            .map(|(name, _, tally)| (name.to_owned(), tally))
            .collect()
    }
}

fn was_in_flight(case: &Case<'_>, episode: &Episode) -> bool {
    case.began_at <= episode.ended_at && episode.began_at <= case.ended_at
}
