use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{Backoff, Scope, TenantId};
use storage::{
    Connection,
    work::{
        Disposition, NewPause, forget_pauses, insert_pauses, lift_pauses, list_pauses, probe_held,
        try_pauses,
    },
};

use super::{claimed, finish_one, row};
use crate::support::{now, seconds, stage};

pub(super) fn pause(scope: &Scope, backoff: Backoff) -> NewPause {
    NewPause {
        scope: scope.clone(),
        tenant_id: Some(TenantId::new_at(now())),
        reason: "paused".to_owned(),
        backoff,
    }
}

/// Ten seconds, then twenty, then no more than twenty-five.
fn growing() -> Backoff {
    Backoff::doubling(seconds(10), seconds(25))
}

async fn begin(tx: &mut Connection, scope: &Scope, at: DateTime<Utc>) {
    let pause = pause(scope, growing());
    insert_pauses(tx, &[pause], at).await.unwrap();
}

async fn until(tx: &mut Connection, scope: &Scope) -> Option<DateTime<Utc>> {
    let pauses = list_pauses(tx, std::slice::from_ref(scope)).await.unwrap();
    pauses.first().map(|pause| pause.until)
}

async fn lift(tx: &mut Connection, scope: &Scope, tried_at: DateTime<Utc>) -> Vec<Scope> {
    let proven = BTreeMap::from([(scope.clone(), tried_at)]);
    lift_pauses(tx, &proven, now()).await.unwrap()
}

#[tokio::test]
async fn a_pause_grows_with_each_vain_try_and_not_with_what_was_under_way() {
    let stage = stage().await;
    let (scope, start) = (Scope::app("main"), now());
    let mut tx = stage.work().await;
    begin(&mut tx, &scope, start).await;
    assert_eq!(until(&mut tx, &scope).await, Some(start + seconds(10)));
    begin(&mut tx, &scope, start + seconds(1)).await;
    assert_eq!(until(&mut tx, &scope).await, Some(start + seconds(11)));
    let second = start + seconds(11);
    begin(&mut tx, &scope, second).await;
    assert_eq!(until(&mut tx, &scope).await, Some(second + seconds(20)));
    let third = second + seconds(20);
    begin(&mut tx, &scope, third).await;
    assert_eq!(until(&mut tx, &scope).await, Some(third + seconds(25)));
    assert_eq!(until(&mut tx, &Scope::app("other")).await, None);
}

#[tokio::test]
async fn of_a_batch_that_pauses_a_scope_several_times_the_longest_holds() {
    let stage = stage().await;
    let scope = Scope::app("main");
    let several = [10, 60, 30].map(|n| pause(&scope, Backoff::constant(seconds(n))));
    let (start, mut tx) = (now(), stage.work().await);
    insert_pauses(&mut tx, &several, start).await.unwrap();
    assert_eq!(until(&mut tx, &scope).await, Some(start + seconds(60)));
}

#[tokio::test]
async fn one_at_a_time_gets_the_turn_to_try() {
    let stage = stage().await;
    let (scope, start) = (Scope::app("main"), now());
    let mut tx = stage.work().await;
    begin(&mut tx, &scope, start).await;
    let scopes = [scope.clone(), Scope::app("other")];
    let over = start + seconds(10);
    for (at, turns) in [(over - seconds(1), 0), (over, 1), (over + seconds(4), 0)] {
        let got = try_pauses(&mut tx, &scopes, at, at + seconds(5)).await;
        assert_eq!(got.unwrap().len(), turns, "{at}");
    }
    // Whoever had the turn is lost.
    let later = over + seconds(5);
    let got = try_pauses(&mut tx, &scopes, later, later + seconds(5)).await;
    assert_eq!(got.unwrap(), [scope]);
}

#[tokio::test]
async fn only_what_was_tried_after_a_pause_began_ends_it() {
    let stage = stage().await;
    let (scope, start) = (Scope::app("main"), now());
    let mut tx = stage.work().await;
    begin(&mut tx, &scope, start).await;
    assert_eq!(lift(&mut tx, &scope, start - seconds(1)).await, []);
    assert!(until(&mut tx, &scope).await.is_some());
    let tried_at = start + seconds(10);
    assert_eq!(
        lift(&mut tx, &scope, tried_at).await,
        std::slice::from_ref(&scope)
    );
    assert_eq!(until(&mut tx, &scope).await, None);
    // It begins anew, not where it was.
    begin(&mut tx, &scope, tried_at).await;
    assert_eq!(until(&mut tx, &scope).await, Some(tried_at + seconds(10)));
}

#[tokio::test]
async fn of_what_is_held_the_oldest_tries_and_the_rest_follows_its_success() {
    let stage = stage().await;
    let (scope, start) = (Scope::app("main"), now());
    let mut tx = stage.work().await;
    let claims = claimed(&mut tx, 3).await;
    for claim in &claims {
        let hold = Disposition::Hold {
            scope: scope.clone(),
            reason: "held".to_owned(),
        };
        assert!(finish_one(&mut tx, claim, hold).await);
    }
    begin(&mut tx, &scope, start).await;
    assert_eq!(probe_held(&mut tx, start + seconds(9)).await.unwrap(), 0);
    assert_eq!(probe_held(&mut tx, start + seconds(10)).await.unwrap(), 1);
    assert_eq!(probe_held(&mut tx, start + seconds(11)).await.unwrap(), 0);
    let mut waiting = 0;
    for claim in &claims {
        waiting += u32::from(row(&mut tx, claim.id).await.unwrap().state == "waiting");
    }
    assert_eq!(waiting, 1);
    assert_eq!(lift(&mut tx, &scope, start + seconds(12)).await.len(), 1);
    for claim in &claims {
        assert_eq!(row(&mut tx, claim.id).await.unwrap().state, "waiting");
    }
}

#[tokio::test]
async fn a_pause_is_forgotten_when_nothing_waits_for_it_any_more() {
    let stage = stage().await;
    let (idle, waited_for, start) = (Scope::app("idle"), Scope::app("busy"), now());
    let mut tx = stage.work().await;
    let claim = claimed(&mut tx, 1).await.remove(0);
    let hold = Disposition::Hold {
        scope: waited_for.clone(),
        reason: "held".to_owned(),
    };
    assert!(finish_one(&mut tx, &claim, hold).await);
    begin(&mut tx, &idle, start).await;
    begin(&mut tx, &waited_for, start).await;
    assert_eq!(forget_pauses(&mut tx, start).await.unwrap(), 0);
    let later = start + seconds(60);
    assert_eq!(forget_pauses(&mut tx, later).await.unwrap(), 1);
    assert!(until(&mut tx, &waited_for).await.is_some());
}
