use std::collections::HashSet;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use crate::ids::LabId;

/// What was meant to happen: who took part, and which faults were injected when.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Run {
    pub seed: u64,
    pub labs: Vec<Lab>,
    pub faults: Vec<Fault>,
    pub episodes: Vec<Episode>,
}

/// A lab that takes part.
#[derive(Debug, Clone, Deserialize)]
pub struct Lab {
    pub lab_id: LabId,
    pub policy: Policy,
    pub callback_secret: SecretString,
    pub phone_number_id: String,
}

/// What becomes of a send whose answer was never seen and of which nothing is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    Park,
    Resend,
}

/// A kind of fault, and how often it was injected.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    pub name: String,
    pub episodes: usize,
}

/// One time that a fault was injected.
#[derive(Debug, Clone, Deserialize)]
pub struct Episode {
    pub fault: String,
    pub began_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
}

impl Run {
    /// Whether the plan agrees with itself; what is in flight during which fault is counted by it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        for Fault { name, episodes } in &self.faults {
            if !names.insert(name) {
                return Err(format!("the fault {name} is named twice"));
            }
            let listed = self.episodes.iter().filter(|it| it.fault == *name).count();
            if listed != *episodes {
                return Err(format!(
                    "the fault {name} counts {episodes} episodes, but {listed} are listed"
                ));
            }
        }
        for episode in &self.episodes {
            if !names.contains(&episode.fault) {
                return Err(format!("an episode of an unnamed fault, {}", episode.fault));
            }
            if episode.ended_at < episode.began_at {
                return Err(format!(
                    "an episode of {} ends before it begins",
                    episode.fault
                ));
            }
        }
        Ok(())
    }
}
