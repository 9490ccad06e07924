//! The statements of the engine's life cycle, one by one and in any order.

mod claim;
mod dead_letters;
mod finish;
mod hold;
mod indexes;
mod insert;
mod interleaving;
mod ownership;
mod pauses;
mod release;
mod restart;

use chrono::{DateTime, Utc};
use domain::{FlowId, Lane, PARTITIONS, TenantId, WorkId, WorkKind};
use storage::{
    Connection, News, WorkListener, WorkSignal,
    work::{self, Claim, Disposition, Finished, NewWork, claim, hold_partitions, insert},
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{LIMIT, now, seconds};

pub(crate) fn any_flow() -> FlowId {
    FlowId::from_uuid(Uuid::new_v4())
}

/// What is heard when there may be work in the flow.
pub(crate) fn signal_of(flow: FlowId) -> WorkSignal {
    WorkSignal {
        kind: WorkKind::Send,
        news: News::Work(flow.partition()),
    }
}

/// The next signal; `None` when some may have been missed.
pub(crate) async fn next_signal(listener: &mut WorkListener) -> Option<WorkSignal> {
    let heard = timeout(LIMIT, listener.next()).await;
    heard.expect("something is heard").unwrap()
}

/// Due when it is made, of a tenant that need not exist.
pub(crate) fn new_work(flow: FlowId, lane: Lane, at: DateTime<Utc>) -> NewWork {
    NewWork {
        id: WorkId::new_at(at),
        kind: WorkKind::Send,
        flow,
        lane,
        subject: Uuid::now_v7(),
        tenant_id: Some(TenantId::new_at(at)),
        pair: None,
        due_at: at,
        expires_at: None,
        traceparent: None,
        created_at: at,
    }
}

/// Work that is released until a minute from now, as the hint for it says.
pub(crate) async fn released(tx: &mut Connection, count: usize) -> Vec<(WorkId, i32)> {
    let flow = any_flow();
    let works: Vec<NewWork> = (0..count)
        .map(|_| new_work(flow, Lane::Report, now()))
        .collect();
    insert(tx, &works, Some(now() + seconds(60))).await.unwrap();
    let mut hints: Vec<(WorkId, i32)> = works.iter().map(|work| (work.id, 0)).collect();
    hints.sort_unstable();
    hints
}

/// Work in a consumer's hands for a minute.
pub(crate) async fn claimed(tx: &mut Connection, count: usize) -> Vec<Claim> {
    let hints = released(tx, count).await;
    let mut claims = claim(tx, &hints, now(), now() + seconds(60)).await.unwrap();
    assert_eq!(claims.len(), count);
    claims.sort_by_key(|claim| claim.id);
    claims
}

/// Whether the end of this transaction is waited for until the disk has it.
pub(crate) async fn commits_how(tx: &mut Connection) -> String {
    let asked = sqlx::query_scalar("select current_setting('synchronous_commit')");
    asked.fetch_one(tx).await.unwrap()
}

/// Claims what waits for this subject, whoever owns its partition.
pub(crate) async fn claim_subject(tx: &mut Connection, subject: Uuid) -> Claim {
    let (id, attempt): (Uuid, i32) = sqlx::query_as(
        "update work set state = 'released', lease_until = now() + interval '1 minute'
         where subject = $1 and state = 'waiting' returning id, attempt",
    )
    .bind(subject)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let hint = [(WorkId::from_uuid(id), attempt)];
    let mut claims = claim(tx, &hint, now(), now() + seconds(60)).await.unwrap();
    claims.pop().unwrap()
}

/// A replica that owns every partition of sends for ten minutes.
pub(crate) async fn sole_owner(tx: &mut Connection) -> Uuid {
    let replica = Uuid::new_v4();
    let held = hold_partitions(tx, WorkKind::Send, replica, now(), now() + seconds(600))
        .await
        .unwrap();
    assert_eq!(held.taken.len(), all_partitions().len());
    replica
}

pub(crate) fn all_partitions() -> Vec<i16> {
    (0..PARTITIONS).collect()
}

pub(crate) fn finished(claim: &Claim, disposition: Disposition) -> Finished {
    Finished {
        id: claim.id,
        attempt: claim.attempt,
        losses: claim.losses,
        disposition,
    }
}

/// Finishes one claim. Returns whether it was still the caller's.
pub(crate) async fn finish_one(
    tx: &mut Connection,
    claim: &Claim,
    disposition: Disposition,
) -> bool {
    let ours = work::finish(tx, &[finished(claim, disposition)], now())
        .await
        .unwrap();
    ours.contains(&claim.id)
}

/// The columns of a work row that tests look at.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct WorkRow {
    pub(crate) state: String,
    pub(crate) due_at: DateTime<Utc>,
    pub(crate) lease_until: Option<DateTime<Utc>>,
    pub(crate) attempt: i32,
    pub(crate) failures: i32,
    pub(crate) begun: bool,
    pub(crate) reason: Option<String>,
}

/// The row as it is; `None` once it is gone.
pub(crate) async fn row(tx: &mut Connection, id: WorkId) -> Option<WorkRow> {
    sqlx::query_as(
        "select state, due_at, lease_until, attempt, failures, begun, reason from work where id = $1",
    )
    .bind(id.as_uuid())
    .fetch_optional(tx)
    .await
    .unwrap()
}

pub(crate) async fn state(tx: &mut Connection, id: WorkId) -> Option<String> {
    row(tx, id).await.map(|row| row.state)
}
