use domain::{Backoff, Lane, Scope, SenderNumberId, TemplateId, WorkKind};
use storage::{
    WorkListener,
    work::{Disposition, find_wait, insert, insert_pauses, list_pauses, lock_scope, resume},
};

use super::{claimed, finish_one, new_work, next_signal, pauses::pause, row, signal_of};
use crate::support::{now, seconds, stage};

fn number_scope() -> Scope {
    Scope::number(SenderNumberId::new_at(now()))
}

#[tokio::test]
async fn held_work_waits_for_its_own_scope() {
    let stage = stage().await;
    let (mended, other) = (number_scope(), Scope::template(TemplateId::new_at(now())));
    let mut tx = stage.work().await;
    let claims = claimed(&mut tx, 3).await;
    for (claim, scope) in claims.iter().zip([&mended, &mended, &other]) {
        let hold = Disposition::Hold {
            scope: scope.clone(),
            reason: "held".to_owned(),
        };
        assert!(finish_one(&mut tx, claim, hold).await);
    }
    tx.commit().await.unwrap();
    let mut listener = WorkListener::connect(&stage.worker).await.unwrap();
    let mut tx = stage.work().await;
    let at = now();
    assert_eq!(resume(&mut tx, &mended, at).await.unwrap(), 2);
    assert_eq!(resume(&mut tx, &mended, at).await.unwrap(), 0);
    for claim in &claims[..2] {
        let row = row(&mut tx, claim.id).await.unwrap();
        assert_eq!((&*row.state, row.due_at, row.reason), ("waiting", at, None));
        assert_eq!((row.attempt, row.failures), (1, 0));
    }
    assert_eq!(row(&mut tx, claims[2].id).await.unwrap().state, "held");
    tx.commit().await.unwrap();
    assert_eq!(
        next_signal(&mut listener).await,
        Some(signal_of(claims[0].flow))
    );
}

/// A repaired credential wakes what was held for it: the gateway may do that for its own tenant.
#[tokio::test]
async fn the_gateway_resumes_what_belongs_to_its_tenant() {
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    let scope = Scope::credential(lab.number);
    let flow = domain::FlowId::from_uuid(lab.number.as_uuid());
    let mut paused = pause(&scope, Backoff::constant(seconds(60)));
    paused.tenant_id = Some(lab.tenant);
    let mut tx = stage.work().await;
    insert_pauses(&mut tx, &[paused], now()).await.unwrap();
    let mut work = new_work(flow, Lane::Report, now());
    work.tenant_id = Some(lab.tenant);
    insert(&mut tx, std::slice::from_ref(&work), None)
        .await
        .unwrap();
    let claim = super::claim_subject(&mut tx, work.subject).await;
    let hold = Disposition::Hold {
        scope: scope.clone(),
        reason: "held".to_owned(),
    };
    assert!(finish_one(&mut tx, &claim, hold).await);
    tx.commit().await.unwrap();

    let mut tx = stage.gateway.begin_for(&[other.tenant]).await.unwrap();
    assert_eq!(resume(&mut tx, &scope, now()).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    assert_eq!(resume(&mut tx, &scope, now()).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let mut tx = stage.work().await;
    assert_eq!(row(&mut tx, work.id).await.unwrap().state, "waiting");
    assert_eq!(list_pauses(&mut tx, &[scope]).await.unwrap(), []);
}

#[tokio::test]
async fn everything_that_waits_says_why() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let claim = claimed(&mut tx, 1).await.remove(0);
    let due_at = now() + seconds(30);
    let later = Disposition::Retry {
        due_at,
        failed: true,
        reason: "the provider stumbled".to_owned(),
    };
    assert!(finish_one(&mut tx, &claim, later).await);
    let scope = number_scope();
    let scopes = std::slice::from_ref(&scope);
    let wait = find_wait(&mut tx, WorkKind::Send, claim.subject, scopes)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((&*wait.state, wait.due_at), ("waiting", due_at));
    assert_eq!(wait.reason.as_deref(), Some("the provider stumbled"));
    // What keeps the whole flow keeps this work, too.
    let minute = Backoff::constant(seconds(60));
    insert_pauses(&mut tx, &[pause(&scope, minute)], now())
        .await
        .unwrap();
    let wait = find_wait(&mut tx, WorkKind::Send, claim.subject, scopes)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(wait.reason.as_deref(), Some("paused"));
    assert_eq!(
        find_wait(&mut tx, WorkKind::Event, claim.subject, scopes)
            .await
            .unwrap(),
        None
    );
}

/// Who pauses for a bad token and who stores a good one: the second sees what the first did.
#[tokio::test]
async fn pausing_for_a_cause_and_mending_it_wait_for_each_other() {
    let stage = stage().await;
    let scope = number_scope();
    let mut pausing = stage.work().await;
    lock_scope(&mut pausing, &scope).await.unwrap();
    let minute = Backoff::constant(seconds(60));
    insert_pauses(&mut pausing, &[pause(&scope, minute)], now())
        .await
        .unwrap();
    let mend = async {
        let mut mending = stage.work().await;
        let freed = resume(&mut mending, &scope, now()).await.unwrap();
        mending.commit().await.unwrap();
        freed
    };
    let commit = async {
        stage.until_blocked().await;
        pausing.commit().await.unwrap();
    };
    let (freed, ()) = tokio::join!(mend, commit);
    assert_eq!(freed, 1);
}
