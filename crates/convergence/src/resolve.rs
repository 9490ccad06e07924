use chrono::{DateTime, Utc};
use domain::{
    Decider, Decision, MessageId, MessageState, ReportedStatus, StatusReport, Wamid, WorkId,
    WorkKind,
};
use serde_json::json;
use storage::{
    Connection, Result,
    decisions::{NewDecision, insert_decisions},
    messages::{find_message, lock_states, send_work},
    work::{self, lock_work, restart},
};

use crate::{Entry, Learned, learn};

/// What somebody knows about a message in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The provider took it; perhaps under this id.
    Sent {
        wamid: Option<Wamid>,
    },
    NotSent,
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    Resolved,
    Unknown,
    /// There is nothing to decide: it is in this state.
    NotInDoubt(MessageState),
    /// A sender has it in hand this very moment, and may be sending it.
    InHand,
}

/// Ends the doubt about a message. Its row is locked first, as by all that is learned: of two who decide one is late, and
/// so is who decides when a status has come. A message that was not sent goes back to its place in the queue.
pub async fn resolve(
    connection: &mut Connection,
    id: MessageId,
    fate: Fate,
    by: Decider,
    now: DateTime<Utc>,
) -> Result<Resolution> {
    let Some(row) = lock_states(connection, &[id]).await?.pop() else {
        return Ok(Resolution::Unknown);
    };
    if row.state() != MessageState::Unconfirmed {
        return Ok(Resolution::NotInDoubt(row.state()));
    }
    let work = lock_work(connection, WorkKind::Send, id.as_uuid()).await?;
    if work.is_some_and(|work| work.is_claimed) {
        return Ok(Resolution::InHand);
    }
    let decision = match fate {
        Fate::Sent { .. } => Decision::Sent,
        Fate::NotSent => Decision::NotSent,
    };
    let learned = learned(id, fate, by, now);
    learn(connection, vec![learned], now).await?;
    if decision == Decision::NotSent {
        send_anew(connection, id, work.map(|work| work.id)).await?;
    }
    let decision = NewDecision {
        tenant_id: Some(row.tenant_id),
        decision,
        kind: WorkKind::Send,
        subject: id.as_uuid(),
        reason: None,
        by,
    };
    insert_decisions(connection, &[decision], now).await?;
    Ok(Resolution::Resolved)
}

fn learned(id: MessageId, fate: Fate, by: Decider, now: DateTime<Utc>) -> Learned {
    let entry = |decision: Decision| Entry {
        at: now,
        kind: "decision",
        detail: json!({ "decision": decision, "by": by.to_string() }),
    };
    match fate {
        Fate::Sent { wamid } => Learned {
            reports: vec![StatusReport {
                status: ReportedStatus::Sent,
                at: now,
                cause: None,
            }],
            reported_wamid: wamid.map(Wamid::into_string),
            entries: vec![entry(Decision::Sent)],
            ..Learned::about(id)
        },
        Fate::NotSent => Learned {
            base: Some(MessageState::Queued),
            entries: vec![entry(Decision::NotSent)],
            ..Learned::about(id)
        },
    }
}

async fn send_anew(connection: &mut Connection, id: MessageId, work: Option<WorkId>) -> Result<()> {
    if let Some(work) = work {
        restart(connection, work).await?;
    } else if let Some(message) = find_message(connection, id).await? {
        work::insert(connection, &[send_work(&message, None)], None).await?;
    }
    Ok(())
}
