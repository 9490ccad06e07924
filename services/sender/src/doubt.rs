use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use convergence::Changed;
use dispatch::{Claim, Outcome};
use domain::{MessageId, MessageState, WorkId};
use storage::{
    Connection, Database,
    messages::{self, MessageRow},
    work::list_claimed,
};

use crate::{effect::Effect, job::subject};

/// Whether a send repeats one whose fate is unknown, and who wants that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resend {
    No,
    /// The tenant's policy.
    Policy,
    /// Somebody decided that the message was not sent.
    Decision,
}

impl Resend {
    /// What a send of this message would be. One that is queued although it was in doubt got there by a decision.
    pub(crate) fn of(row: &MessageRow) -> Self {
        match row.delivery.base {
            MessageState::Unconfirmed => Self::Policy,
            MessageState::Queued if row.unconfirmed_at.is_some() => Self::Decision,
            _ => Self::No,
        }
    }

    /// What a lost sender was at, only the message's record tells.
    pub(crate) async fn of_lost(
        connection: &mut Connection,
        claim: &Claim,
    ) -> storage::Result<Self> {
        let row = messages::find_state(connection, subject(claim)).await?;
        Ok(row.map_or(Self::No, |row| Self::of(&row)))
    }
}

/// The claims that nobody took over meanwhile: two who tell of one send would count it twice. Messages are locked before
/// work, as by all who learn of them.
pub(crate) async fn still_ours(
    connection: &mut Connection,
    effects: &[(Claim, Effect)],
) -> storage::Result<HashSet<WorkId>> {
    let claims = effects.iter().map(|(claim, _)| claim);
    let messages = claims.clone().map(subject);
    messages::lock_states(connection, &messages.collect::<Vec<_>>()).await?;
    let claims: Vec<(WorkId, i32)> = claims.map(|it| (it.id, it.attempt)).collect();
    list_claimed(connection, &claims).await
}

/// Since when the fate of a message in doubt is unknown.
pub(crate) fn since(row: &MessageRow) -> DateTime<Utc> {
    row.unconfirmed_at.unwrap_or(row.updated_at)
}

/// Asked right before a repetition leaves: a status that came while it was prepared makes it needless.
pub(crate) async fn is_over(database: &Database, id: MessageId) -> storage::Result<bool> {
    let mut connection = database.acquire().await?;
    let row = messages::find_state(&mut connection, id).await?;
    Ok(row.is_none_or(|row| !row.state().is_open()))
}

/// Those of them whose fate is known.
pub(crate) fn settled(changes: &[Changed]) -> BTreeSet<MessageId> {
    changes
        .iter()
        .filter(|change| !change.row.state().is_open())
        .map(|change| change.row.message_id)
        .collect()
}

/// A message whose fate became known while its send was in hand must wait for nothing any more: nobody would end that.
pub(crate) fn unless_settled(
    outcome: Outcome,
    settled: &BTreeSet<MessageId>,
    claim: &Claim,
) -> Outcome {
    let is_waiting = matches!(outcome, Outcome::Retry { .. } | Outcome::Hold { .. });
    if is_waiting && settled.contains(&subject(claim)) {
        Outcome::Done
    } else {
        outcome
    }
}
