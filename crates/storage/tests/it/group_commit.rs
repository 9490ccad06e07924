use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use storage::{Database, Error, GroupCommit, Result};
use testkit::eventually;
use tokio::sync::Semaphore;

use crate::support::{LIMIT, Stage, connect, seconds, stage};

/// What a test sees of the loop: transactions begun, and a gate that each must pass.
#[derive(Clone)]
struct Commits {
    database: Database,
    begun: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Commits {
    async fn new(stage: &Stage) -> Self {
        stage
            .test
            .execute("create table rows (n integer constraint rows_n_key unique, tx bigint default txid_current()); grant all on rows to labwire_worker")
            .await;
        Self {
            database: stage.worker.clone(),
            begun: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    async fn store(self, batch: Vec<i32>) -> Result<Vec<i32>> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        let mut tx = self.database.begin().await?;
        for n in &batch {
            sqlx::query("insert into rows (n) values ($1)")
                .bind(n)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(batch.iter().map(|n| n * 10).collect())
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    fn open(&self) {
        self.gate.add_permits(1000);
    }
}

/// Submits one, which is let wait in its transaction, then the others behind it, and lets them all go on.
async fn submit(
    commits: &Commits,
    group: &GroupCommit<i32, i32>,
    others: &[i32],
) -> Vec<Result<i32>> {
    let first = group.submit(0, LIMIT);
    let behind = async {
        eventually(LIMIT, async || commits.begun() == 1).await;
        let crowd = join_all(others.iter().map(|n| group.submit(*n, LIMIT)));
        // In this order: the crowd is queued before the gate opens.
        let (crowd, ()) = tokio::join!(biased; crowd, async { commits.open() });
        crowd
    };
    let (first, crowd) = tokio::join!(first, behind);
    let mut answers = vec![first];
    answers.extend(crowd);
    answers
}

#[tokio::test]
async fn a_crowd_shares_a_transaction_and_each_gets_its_own_answer() {
    let stage = stage().await;
    let commits = Commits::new(&stage).await;
    let store = commits.clone();
    let (group, run) = GroupCommit::new(64, move |batch| store.clone().store(batch));
    let others: Vec<i32> = (1..=50).collect();
    let answers = tokio::select! {
        () = run => unreachable!("the handle is still there"),
        answers = submit(&commits, &group, &others) => answers,
    };
    let answers: Vec<i32> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, (0..=50).map(|n| n * 10).collect::<Vec<_>>());
    let transactions = stage
        .test
        .rows("select count(*) as n, count(distinct tx) as tx from rows")
        .await;
    assert_eq!(
        (&transactions[0]["n"], &transactions[0]["tx"]),
        (&51.into(), &2.into())
    );
    assert_eq!(commits.begun(), 2);
}

#[tokio::test]
async fn a_batch_has_a_limit() {
    let stage = stage().await;
    let commits = Commits::new(&stage).await;
    let store = commits.clone();
    let (group, run) = GroupCommit::new(8, move |batch| store.clone().store(batch));
    let others: Vec<i32> = (1..=16).collect();
    let answers = tokio::select! {
        () = run => unreachable!("the handle is still there"),
        answers = submit(&commits, &group, &others) => answers,
    };
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let largest = stage
        .test
        .rows("select count(*) as n from rows group by tx order by n desc limit 1")
        .await;
    assert_eq!(largest[0]["n"], 8);
}

#[tokio::test]
async fn one_bad_row_is_refused_alone() {
    let stage = stage().await;
    let commits = Commits::new(&stage).await;
    let store = commits.clone();
    let (group, run) = GroupCommit::new(64, move |batch| store.clone().store(batch));
    // The first is 0, so another 0 violates the constraint.
    let answers = tokio::select! {
        () = run => unreachable!("the handle is still there"),
        answers = submit(&commits, &group, &[1, 2, 0, 3]) => answers,
    };
    let stored: Vec<Option<i32>> = answers
        .iter()
        .map(|answer| answer.as_ref().ok().copied())
        .collect();
    assert_eq!(stored, [Some(0), Some(10), Some(20), None, Some(30)]);
    assert_eq!(
        answers[3].as_ref().unwrap_err().constraint(),
        Some("rows_n_key")
    );
    assert_eq!(stage.count("rows").await, 4);
}

/// A database that is away is asked once for all.
#[tokio::test]
async fn what_cannot_be_stored_is_refused_at_once() {
    let stage = stage().await;
    let mut commits = Commits::new(&stage).await;
    commits.database = connect("postgres://labwire_worker@127.0.0.1:1/nowhere");
    let store = commits.clone();
    let (group, run) = GroupCommit::new(64, move |batch| {
        let store = store.clone();
        async move {
            store.begun.fetch_add(1, Ordering::SeqCst);
            store.gate.acquire().await.unwrap().forget();
            Err(Error::from(sqlx::Error::PoolTimedOut)).map(|()| batch)
        }
    });
    let answers = tokio::select! {
        () = run => unreachable!("the handle is still there"),
        answers = submit(&commits, &group, &[1, 2, 3]) => answers,
    };
    assert_eq!(answers.len(), 4);
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().is_err_and(Error::is_unavailable))
    );
    assert_eq!(commits.begun(), 2);
}

#[tokio::test]
async fn patience_ends_while_the_database_hangs() {
    let stage = stage().await;
    let commits = Commits::new(&stage).await;
    let store = commits.clone();
    let (group, run) = GroupCommit::new(64, move |batch| store.clone().store(batch));
    let short = std::time::Duration::from_millis(50);
    let answer = tokio::select! {
        () = run => unreachable!("the handle is still there"),
        answer = group.submit(1, short) => answer,
    };
    assert!(answer.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn the_loop_ends_with_its_last_handle_and_answers_nobody_after_that() {
    let (group, run) = GroupCommit::new(4, async |batch: Vec<i32>| Ok(batch));
    let other = group.clone();
    drop(group);
    let (answer, ()) = tokio::join!(async move { other.submit(7, seconds(5)).await }, run);
    assert_eq!(answer.unwrap(), 7);

    let (group, run) = GroupCommit::new(4, async |batch: Vec<i32>| Ok(batch));
    drop(run);
    assert!(
        group
            .submit(7, seconds(5))
            .await
            .unwrap_err()
            .is_unavailable()
    );
}

#[tokio::test]
async fn who_was_told_that_it_is_in_doubt_is_not_stored_behind_their_back() {
    let stage = stage().await;
    let commits = Commits::new(&stage).await;
    let store = commits.clone();
    let (group, run) = GroupCommit::new(10, move |batch| store.clone().store(batch));
    let test = async {
        let first = group.submit(0, LIMIT);
        let impatient = async {
            eventually(LIMIT, async || commits.begun() == 1).await;
            let answer = group.submit(1, std::time::Duration::from_millis(1)).await;
            assert!(answer.unwrap_err().is_unavailable());
            commits.open();
        };
        let (first, ()) = tokio::join!(first, impatient);
        assert_eq!(first.unwrap(), 0);
        assert_eq!(group.submit(2, LIMIT).await.unwrap(), 20);
    };
    tokio::select! { () = run => {}, () = test => {} }
    let rows = stage.test.rows("select n from rows order by n").await;
    let stored: Vec<_> = rows.iter().map(|row| row["n"].clone()).collect();
    assert_eq!(stored, [0, 2]);
}
