use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::{
    Decider, Decision, DiscardReason, ErrorClass, FailureCause, GivenUp, MessageId, MessageState,
    WorkKind,
};
use serde_json::json;
use storage::{
    Connection, Result,
    decisions::{NewDecision, insert_decisions},
    messages::{NewTimelineEntry, find_state, insert_timeline, lock_states},
    work::{DeadLetter, DeadLetterFilter, list_dead_letters, revive, take_dead_letters},
};

use crate::{Entry, Learned, Verdict, learn};

/// What became of dead letters that were to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Work again.
    pub replayed: usize,
    /// Let go: what they are about is settled by now, or is work already.
    pub settled: usize,
}

/// Letters that one call replays at most.
const MOST_REPLAYED: usize = 1_000;

/// Tries dead letters again. That we gave a message up is taken back, and nothing else: one that was never sent is queued, one
/// in doubt is in doubt again, and one whose fate the provider told needs no send.
pub async fn replay(
    connection: &mut Connection,
    letters: Vec<DeadLetter>,
    by: Decider,
    now: DateTime<Utc>,
) -> Result<Replayed> {
    let decided = Decided {
        decision: Decision::Replayed,
        reason: None,
        by,
        at: now,
    };
    let letters = take(connection, letters).await?;
    let taken_back = letters.iter().filter_map(|letter| {
        Some(Learned {
            verdict: Some(Verdict::TakenBack),
            entries: vec![decided.entry(letter)],
            ..Learned::about(message_to_send(letter)?)
        })
    });
    let changes = learn(connection, taken_back.collect(), now).await?;
    let open: HashSet<MessageId> = changes
        .iter()
        .filter(|change| change.row.state().is_open())
        .map(|change| change.row.message_id)
        .collect();
    let needed: Vec<&DeadLetter> = letters
        .iter()
        .filter(|letter| message_to_send(letter).is_none_or(|id| open.contains(&id)))
        .collect();
    let revived = revive(connection, &needed, now).await?;
    decided.record(connection, &letters).await?;
    Ok(Replayed {
        replayed: revived.len(),
        settled: letters.len() - revived.len(),
    })
}

/// Tries again what the filter finds, a thousand at most. Also tells whether there is more.
pub async fn replay_matching(
    connection: &mut Connection,
    filter: &DeadLetterFilter,
    by: Decider,
    now: DateTime<Utc>,
) -> Result<(Replayed, bool)> {
    let one_more = i64::try_from(MOST_REPLAYED + 1).unwrap_or(i64::MAX);
    let mut letters = list_dead_letters(connection, filter, None, one_more).await?;
    let has_more = letters.len() > MOST_REPLAYED;
    letters.truncate(MOST_REPLAYED);
    Ok((replay(connection, letters, by, now).await?, has_more))
}

/// Lets a dead letter go; `false` if it is gone already. A message that was still to be sent has failed then.
pub async fn discard(
    connection: &mut Connection,
    letter: DeadLetter,
    reason: &DiscardReason,
    by: Decider,
    now: DateTime<Utc>,
) -> Result<bool> {
    let decided = Decided {
        decision: Decision::Discarded,
        reason: Some(reason),
        by,
        at: now,
    };
    let letters = take(connection, vec![letter]).await?;
    let Some(letter) = letters.first() else {
        return Ok(false);
    };
    if let Some(id) = message_to_send(letter) {
        let row = find_state(connection, id).await?;
        // That it was given up could not be told when it was. Of what is in doubt nobody may say so: it is for somebody to resolve.
        let untold = row.is_some_and(|row| row.state() == MessageState::Queued);
        let learned = Learned {
            verdict: untold.then(|| given_up(letter, now)),
            entries: vec![decided.entry(letter)],
            ..Learned::about(id)
        };
        learn(connection, vec![learned], now).await?;
    }
    decided.record(connection, &letters).await?;
    Ok(true)
}

/// Those of them that nobody else takes. First the messages, in the order of all who change them, then the letters.
async fn take(
    connection: &mut Connection,
    mut letters: Vec<DeadLetter>,
) -> Result<Vec<DeadLetter>> {
    let messages: Vec<MessageId> = letters.iter().filter_map(message_to_send).collect();
    lock_states(connection, &messages).await?;
    let mut ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
    ids.sort_unstable();
    let taken = take_dead_letters(connection, &ids).await?;
    letters.retain(|letter| taken.contains(&letter.id));
    Ok(letters)
}

/// The message that this work was to send.
fn message_to_send(letter: &DeadLetter) -> Option<MessageId> {
    (letter.kind == WorkKind::Send).then(|| MessageId::from_uuid(letter.subject))
}

fn given_up(letter: &DeadLetter, at: DateTime<Utc>) -> Verdict {
    Verdict::GivenUp(GivenUp {
        at,
        cause: FailureCause {
            code: None,
            class: ErrorClass::Permanent,
            detail: letter.reason.clone(),
        },
    })
}

/// One decision about dead letters.
struct Decided<'a> {
    decision: Decision,
    reason: Option<&'a DiscardReason>,
    by: Decider,
    at: DateTime<Utc>,
}

impl Decided<'_> {
    fn entry(&self, letter: &DeadLetter) -> Entry {
        let detail = json!({
            "decision": self.decision, "by": self.by.to_string(), "reason": self.reason.map(DiscardReason::as_str),
            "work": letter.kind, "dead_letter": letter.id,
        });
        Entry {
            at: self.at,
            kind: "decision",
            detail,
        }
    }

    /// In the record of decisions, and for callbacks in the timeline of their message: that of a send is learned with its state.
    async fn record(&self, connection: &mut Connection, letters: &[DeadLetter]) -> Result<()> {
        let decisions: Vec<NewDecision> = letters
            .iter()
            .map(|letter| NewDecision {
                tenant_id: letter.tenant_id,
                decision: self.decision,
                kind: letter.kind,
                subject: letter.subject,
                reason: self.reason.map(|reason| reason.as_str().to_owned()),
                by: self.by,
            })
            .collect();
        insert_decisions(connection, &decisions, self.at).await?;
        let callbacks = letters.iter().filter(|it| it.kind == WorkKind::Callback);
        let entries = callbacks.filter_map(|letter| {
            let Entry { at, kind, detail } = self.entry(letter);
            Some(NewTimelineEntry {
                message_id: letter.message_id?,
                tenant_id: letter.tenant_id?,
                at,
                kind,
                detail,
            })
        });
        insert_timeline(connection, &entries.collect::<Vec<_>>()).await
    }
}
