use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{Backoff, Scope, TenantId, WorkKind};

use super::{
    hold::{signal_sends, wake_held},
    insert::signal,
};
use crate::{Connection, Error, Result, error::parse};

/// Something that must be left alone for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPause {
    pub scope: Scope,
    /// Whose it is; `None` if it may be several tenants'.
    pub tenant_id: Option<TenantId>,
    pub reason: String,
    pub backoff: Backoff,
}

/// A pause. It stays after `until`, when one may try, and until that has gone well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub scope: Scope,
    pub until: DateTime<Utc>,
    /// Until when somebody is trying.
    pub tried_until: Option<DateTime<Utc>>,
}

/// Begins pauses. What fails while a pause lasts was begun before it, and does not count again; what fails after it makes
/// the next one longer.
pub async fn insert_pauses(
    connection: &mut Connection,
    pauses: &[NewPause],
    now: DateTime<Utc>,
) -> Result<()> {
    // By scope: no row twice in a statement, and two transactions cannot wait for each other. Of several the longest holds.
    let mut by_scope: BTreeMap<&Scope, &NewPause> = BTreeMap::new();
    for pause in pauses {
        let longest = by_scope.entry(&pause.scope).or_insert(pause);
        if pause.backoff.first > longest.backoff.first {
            *longest = pause;
        }
    }
    if by_scope.is_empty() {
        return Ok(());
    }
    let (mut scopes, mut tenants, mut reasons) = (vec![], vec![], vec![]);
    let (mut firsts, mut factors, mut longests) = (vec![], vec![], vec![]);
    for (scope, pause) in by_scope {
        scopes.push(scope.as_str().to_owned());
        tenants.push(pause.tenant_id.map(|id| id.as_uuid()));
        reasons.push(pause.reason.clone());
        firsts.push(pause.backoff.first.as_secs_f64());
        factors.push(pause.backoff.factor);
        longests.push(pause.backoff.longest.as_secs_f64());
    }
    sqlx::query!(
        r#"
        WITH item AS (
            SELECT * FROM UNNEST($1::text[], $2::uuid[], $3::text[], $4::double precision[], $5::double precision[], $6::double precision[])
                AS item (scope, tenant_id, reason, first, factor, longest)
        )
        INSERT INTO pauses AS p (scope, tenant_id, reason, strikes, paused_at, until)
        SELECT scope, tenant_id, reason, 1, $7::timestamptz, $7::timestamptz + make_interval(secs => first) FROM item ORDER BY scope
        ON CONFLICT ON CONSTRAINT pauses_pkey DO UPDATE SET
            reason = excluded.reason,
            strikes = CASE WHEN p.until <= $7::timestamptz THEN p.strikes + 1 ELSE p.strikes END,
            paused_at = CASE WHEN p.until <= $7::timestamptz THEN $7::timestamptz ELSE p.paused_at END,
            until = CASE WHEN p.until <= $7::timestamptz THEN $7::timestamptz + make_interval(secs => (
                             -- The exponent is bounded: power() overflows long before a pause would.
                             SELECT least(item.longest, item.first * power(item.factor, least(p.strikes, 30))) FROM item WHERE item.scope = p.scope))
                         ELSE greatest(p.until, excluded.until) END,
            tried_until = NULL
        "#,
        &scopes,
        &tenants as _,
        &reasons,
        &firsts,
        &factors,
        &longests,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The pauses of these scopes, also those whose time is over.
pub async fn list_pauses(connection: &mut Connection, scopes: &[Scope]) -> Result<Vec<Pause>> {
    if scopes.is_empty() {
        return Ok(Vec::new());
    }
    let scopes: Vec<String> = scopes.iter().map(|s| s.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        "SELECT scope, until, tried_until FROM pauses WHERE scope = ANY ($1)",
        &scopes
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Pause {
                scope: read_scope(&row.scope)?,
                until: row.until,
                tried_until: row.tried_until,
            })
        })
        .collect()
}

/// Takes the turn to try scopes whose pauses are over. Returns those that were to be had: one caller gets each.
pub async fn try_pauses(
    connection: &mut Connection,
    scopes: &[Scope],
    now: DateTime<Utc>,
    tried_until: DateTime<Utc>,
) -> Result<Vec<Scope>> {
    if scopes.is_empty() {
        return Ok(Vec::new());
    }
    let scopes: Vec<String> = scopes.iter().map(|s| s.as_str().to_owned()).collect();
    let rows = sqlx::query_scalar!(
        r#"
        UPDATE pauses SET tried_until = $3 WHERE scope IN (
            SELECT scope FROM pauses
            WHERE scope = ANY ($1) AND until <= $2 AND (tried_until IS NULL OR tried_until <= $2)
            -- Another replica is at it.
            FOR UPDATE SKIP LOCKED)
        RETURNING scope
        "#,
        &scopes,
        now,
        tried_until
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(|scope| read_scope(scope)).collect()
}

/// Ends the pauses of scopes that were tried with success, by the instant of the try: what was begun before a pause says
/// nothing about it. Returns the scopes that were freed.
pub async fn lift_pauses(
    connection: &mut Connection,
    proven: &BTreeMap<Scope, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Vec<Scope>> {
    if proven.is_empty() {
        return Ok(Vec::new());
    }
    let (scopes, tried): (Vec<String>, Vec<DateTime<Utc>>) = proven
        .iter()
        .map(|(scope, tried_at)| (scope.as_str().to_owned(), *tried_at))
        .unzip();
    let rows = sqlx::query_scalar!(
        r#"
        DELETE FROM pauses WHERE scope IN (
            SELECT p.scope FROM pauses AS p JOIN UNNEST($1::text[], $2::timestamptz[]) AS item (scope, tried_at) USING (scope)
            WHERE p.paused_at < item.tried_at ORDER BY p.scope FOR UPDATE OF p)
        RETURNING scope
        "#,
        &scopes,
        &tried
    )
    .fetch_all(&mut *connection)
    .await?;
    let lifted: Vec<Scope> = rows.iter().map(|s| read_scope(s)).collect::<Result<_>>()?;
    if !lifted.is_empty() {
        wake_held(connection, &lifted, now).await?;
        signal_sends(connection).await?;
    }
    Ok(lifted)
}

/// Of what is held for a scope whose pause is over, lets one try; the rest follows when that has gone well.
pub async fn probe_held(connection: &mut Connection, now: DateTime<Utc>) -> Result<u64> {
    let rows = sqlx::query!(
        r#"
        WITH due AS (
            SELECT p.scope FROM pauses AS p
            WHERE p.until <= $1::timestamptz AND EXISTS (SELECT FROM work AS w WHERE w.hold_scope = p.scope AND w.state = 'held' OFFSET 0)
            LIMIT 100
            -- Another replica is at it.
            FOR UPDATE OF p SKIP LOCKED
        ), again AS (
            UPDATE pauses AS p SET strikes = p.strikes + 1, until = $1::timestamptz + least(interval '1 hour', (p.until - p.paused_at) * 2)
            FROM due WHERE p.scope = due.scope
        ), probe AS (
            SELECT first.id FROM due CROSS JOIN LATERAL (
                SELECT w.id FROM work AS w WHERE w.hold_scope = due.scope ORDER BY w.created_at, w.id LIMIT 1) AS first
        )
        UPDATE work SET state = 'waiting', hold_scope = NULL, reason = NULL, due_at = $1::timestamptz
        WHERE id = ANY (ARRAY(SELECT id FROM probe)) AND state = 'held'
        RETURNING work.kind, work.partition
        "#,
        now
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut places = Vec::with_capacity(rows.len());
    for row in &rows {
        places.push((parse::<WorkKind>("work.kind", &row.kind)?, row.partition));
    }
    signal(connection, places.into_iter()).await?;
    Ok(rows.len() as u64)
}

/// Forgets pauses that were over long ago and that nothing waits for.
pub async fn forget_pauses(connection: &mut Connection, before: DateTime<Utc>) -> Result<u64> {
    let result = sqlx::query!(
        r#"
        DELETE FROM pauses AS p
        WHERE p.until <= $1 AND NOT EXISTS (SELECT FROM work AS w WHERE w.hold_scope = p.scope AND w.state = 'held' OFFSET 0)
        "#,
        before
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected())
}

fn read_scope(text: &str) -> Result<Scope> {
    text.parse().map_err(|_| Error::Unreadable {
        column: "pauses.scope",
    })
}
