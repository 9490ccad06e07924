use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{GivenUp, MessageId, MessageState, StatusReport, TenantId, WorkKind};
use storage::{
    Connection, Result,
    messages::{MessageRow, NewTimelineEntry, insert_timeline, lock_states, update_states},
    work,
};

use crate::announce::announce;

/// Something learned about one message. Several for one message are merged before anything is written.
#[derive(Debug, Clone)]
pub struct Learned {
    pub message_id: MessageId,
    /// Whose message it must be: what others say of it is not believed. `None`: we know it ourselves.
    pub owner: Option<TenantId>,
    pub reports: Vec<StatusReport>,
    /// The provider's id of the message, from the answer to our send.
    pub wamid: Option<String>,
    /// The same, from a report: names the message if no answer did.
    pub reported_wamid: Option<String>,
    /// What holds as long as there is no evidence: replaces what held before.
    pub base: Option<MessageState>,
    pub verdict: Option<Verdict>,
    pub attempted: bool,
    pub resent: bool,
    pub entries: Vec<Entry>,
}

/// What we ourselves say of a message, beside all evidence: replaces what we said before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    GivenUp(GivenUp),
    TakenBack,
}

/// A line of the message's timeline: ids, codes and counts, never patient data.
#[derive(Debug, Clone)]
pub struct Entry {
    pub at: DateTime<Utc>,
    pub kind: &'static str,
    pub detail: serde_json::Value,
}

/// A message after something was learned about it, and the state it was in before.
#[derive(Debug, Clone)]
pub struct Changed {
    pub row: MessageRow,
    pub before: MessageState,
}

impl Learned {
    pub fn about(message_id: MessageId) -> Self {
        Self {
            message_id,
            owner: None,
            reports: Vec::new(),
            wamid: None,
            reported_wamid: None,
            base: None,
            verdict: None,
            attempted: false,
            resent: false,
            entries: Vec::new(),
        }
    }
}

/// Writes what was learned. Locks the messages in key order to the end of the transaction; unknown ids are skipped, and
/// so is what comes from another tenant.
pub async fn learn(
    connection: &mut Connection,
    learned: Vec<Learned>,
    now: DateTime<Utc>,
) -> Result<Vec<Changed>> {
    let mut by_message: BTreeMap<MessageId, Vec<Learned>> = BTreeMap::new();
    for item in learned {
        by_message.entry(item.message_id).or_default().push(item);
    }
    let ids: Vec<MessageId> = by_message.keys().copied().collect();
    let mut changes = Vec::with_capacity(ids.len());
    let mut timeline = Vec::new();
    for row in lock_states(connection, &ids).await? {
        let mut items = by_message.remove(&row.message_id).unwrap_or_default();
        items.retain(|item| item.owner.is_none_or(|owner| owner == row.tenant_id));
        if items.is_empty() {
            continue;
        }
        timeline.extend(items.iter().flat_map(|item| &item.entries).map(|entry| {
            NewTimelineEntry {
                message_id: row.message_id,
                tenant_id: row.tenant_id,
                at: entry.at,
                kind: entry.kind,
                detail: entry.detail.clone(),
            }
        }));
        let before = row.state();
        changes.push(Changed {
            row: items
                .into_iter()
                .fold(row, |row, item| apply(row, item, now)),
            before,
        });
    }
    let rows: Vec<MessageRow> = changes.iter().map(|change| change.row.clone()).collect();
    update_states(connection, &rows).await?;
    insert_timeline(connection, &timeline).await?;
    settle(connection, &changes).await?;
    announce(connection, &changes, now).await?;
    Ok(changes)
}

fn apply(mut row: MessageRow, item: Learned, now: DateTime<Utc>) -> MessageRow {
    row.delivery = item
        .reports
        .iter()
        .fold(row.delivery, domain::Delivery::apply);
    if let Some(base) = item.base {
        if base == MessageState::Unconfirmed {
            row.unconfirmed_at = Some(now);
        }
        row.delivery.base = base;
    }
    match item.verdict {
        Some(Verdict::GivenUp(given_up)) => row.delivery.given_up = Some(given_up),
        Some(Verdict::TakenBack) => row.delivery.given_up = None,
        None => {}
    }
    if is_proven(row.state()) {
        row.unconfirmed_at = None;
    }
    // The latest send names the message from now on; an earlier one is still found by the id of ours that it echoes.
    row.wamid = item.wamid.or(row.wamid).or(item.reported_wamid);
    row.attempts += i32::from(item.attempted);
    row.resends += i32::from(item.resent);
    row.updated_at = now;
    row
}

/// That it was sent is beyond doubt.
fn is_proven(state: MessageState) -> bool {
    matches!(
        state,
        MessageState::Sent | MessageState::Delivered | MessageState::Read
    )
}

/// Once its fate is known, nothing must send a message any more.
async fn settle(connection: &mut Connection, changes: &[Changed]) -> Result<()> {
    let settled: Vec<_> = changes
        .iter()
        .filter(|change| change.row.state() != change.before && !change.row.state().is_open())
        .map(|change| change.row.message_id.as_uuid())
        .collect();
    work::cancel(connection, WorkKind::Send, &settled).await?;
    Ok(())
}
