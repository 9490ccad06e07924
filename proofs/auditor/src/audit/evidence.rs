use super::case::Case;
use crate::ledgers::{Decision, Policy, State, StatusName};

/// What the provider's ledger proves about one message, over all its sends. A status that happened and was not told may be
/// known to us or not: its webhook may have been stored before its 200 was lost.
pub(super) struct Evidence {
    told: Vec<StatusName>,
    happened: Vec<StatusName>,
    /// A send that was repeated by leave may have been refused: then the message failed, whatever became of the first.
    was_refused: bool,
}

impl Evidence {
    /// `None`: the provider never accepted the message, and so says nothing about it.
    pub(super) fn of(case: &Case<'_>) -> Option<Self> {
        if case.sends.is_empty() {
            return None;
        }
        let statuses = || case.sends.iter().flat_map(|send| &send.fate);
        let refused = case
            .timeline
            .iter()
            .any(|entry| entry.kind == "attempt" && entry.result.as_deref() == Some("failed"));
        Some(Self {
            told: statuses()
                .filter(|it| it.told)
                .map(|it| it.status)
                .collect(),
            happened: statuses().map(|it| it.status).collect(),
            was_refused: refused && leave_to_resend(case) > 0,
        })
    }

    /// A status that was told and that goes beyond this state, though not against it.
    pub(super) fn goes_beyond(&self, state: State) -> Option<StatusName> {
        use StatusName::{Delivered, Failed, Read};
        let further: &[StatusName] = match state {
            State::Sent => &[Read, Delivered, Failed],
            State::Delivered => &[Read],
            _ => &[],
        };
        further
            .iter()
            .copied()
            .find(|status| self.told.contains(status))
    }

    /// Whether the state is what follows from all statuses that were told, and any of those that were not.
    pub(super) fn allows(&self, state: State) -> bool {
        use StatusName::{Delivered, Failed, Read};
        let is_told = |statuses: &[StatusName]| statuses.iter().any(|it| self.told.contains(it));
        match state {
            State::Read => self.happened.contains(&Read),
            State::Delivered => self.happened.contains(&Delivered) && !is_told(&[Read]),
            State::Failed => {
                let failed = self.was_refused || self.happened.contains(&Failed);
                failed && !is_told(&[Delivered, Read])
            }
            State::Sent => !is_told(&[Delivered, Read, Failed]),
            _ => false,
        }
    }

    /// The state that follows from what was told.
    pub(super) fn implies(&self) -> State {
        [StatusName::Read, StatusName::Delivered, StatusName::Failed]
            .into_iter()
            .find(|status| self.told.contains(status))
            .map_or(State::Sent, StatusName::state)
    }
}

/// How often the message may be sent again at most.
pub(super) fn leave_to_resend(case: &Case<'_>) -> usize {
    match case.lab.policy {
        Policy::Resend => usize::MAX,
        Policy::Park => case.decided(Decision::NotSent),
    }
}
