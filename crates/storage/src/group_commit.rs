use std::{future::Future, time::Duration};

use tokio::sync::{mpsc, oneshot};

use crate::{Error, Result};

/// Longer than any commit takes that still works.
const COMMIT_DEADLINE: Duration = Duration::from_secs(10);

/// Many callers, one transaction: what waits while one batch commits becomes the next batch.
/// No timer is involved, so a lone caller pays for a lone commit and a crowd shares one.
#[derive(Debug)]
pub struct GroupCommit<T, R> {
    queue: mpsc::Sender<Submission<T, R>>,
}

/// One caller's row and the place where the answer goes.
#[derive(Debug)]
pub struct Submission<T, R> {
    pub item: T,
    answer: oneshot::Sender<Result<R>>,
}

impl<T, R> Submission<T, R> {
    pub fn answer(self, result: Result<R>) {
        // The caller may have gone away; what was committed stays committed.
        drop(self.answer.send(result));
    }
}

impl<T, R> Clone for GroupCommit<T, R> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
        }
    }
}

impl<T: Send, R: Send> GroupCommit<T, R> {
    /// The handle, and the loop that must be run for it. `commit` stores a batch in one transaction and returns one answer
    /// for each item, in order; if it fails, each item is tried alone, so that one bad row does not refuse its neighbours.
    pub fn new<F, Fut>(max_batch: usize, commit: F) -> (Self, impl Future<Output = ()> + Send)
    where
        T: Clone + Sync,
        F: Fn(Vec<T>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Vec<R>>> + Send,
    {
        let (queue, mut waiting) = mpsc::channel::<Submission<T, R>>(max_batch * 4);
        let run = async move {
            let mut batch = Vec::with_capacity(max_batch);
            while waiting.recv_many(&mut batch, max_batch).await > 0 {
                // Who was told that it is in doubt may ask again: it must not be stored behind their back.
                batch.retain(|submission| !submission.answer.is_closed());
                store(std::mem::take(&mut batch), &commit).await;
            }
        };
        (Self { queue }, run)
    }

    /// Stores one item; returns when it is durable, or why it is not. `patience` bounds the wait.
    pub async fn submit(&self, item: T, patience: Duration) -> Result<R> {
        let (answer, result) = oneshot::channel();
        let submit = async {
            self.queue
                .send(Submission { item, answer })
                .await
                .map_err(|_| Error::Unavailable(sqlx::Error::PoolClosed))?;
            result
                .await
                .map_err(|_| Error::Unavailable(sqlx::Error::WorkerCrashed))?
        };
        tokio::time::timeout(patience, submit)
            .await
            .map_err(|_| Error::silent())?
    }
}

async fn store<T: Clone, R, F, Fut>(batch: Vec<Submission<T, R>>, commit: &F)
where
    F: Fn(Vec<T>) -> Fut + Sync,
    Fut: Future<Output = Result<Vec<R>>> + Send,
{
    if batch.is_empty() {
        return;
    }
    let alone = batch.len() == 1;
    let items = batch.iter().map(|submission| submission.item.clone());
    match in_time(commit(items.collect())).await {
        Ok(answers) => {
            for (submission, answer) in batch.into_iter().zip(answers) {
                submission.answer(Ok(answer));
            }
        }
        // Nothing is gained by asking a database that is away once for each.
        Err(error) if alone || error.is_unavailable() => {
            let mut batch = batch.into_iter();
            if let Some(first) = batch.next() {
                first.answer(Err(error));
            }
            for submission in batch {
                submission.answer(Err(Error::Unavailable(sqlx::Error::WorkerCrashed)));
            }
        }
        Err(_) => {
            for submission in batch {
                let answer = in_time(commit(vec![submission.item.clone()])).await;
                let answer = answer.and_then(|mut answers| {
                    answers
                        .pop()
                        .ok_or(Error::Unavailable(sqlx::Error::WorkerCrashed))
                });
                submission.answer(answer);
            }
        }
    }
}

/// A database that fell silent in the middle of a commit must not stop all that come after.
async fn in_time<R>(commit: impl Future<Output = Result<R>>) -> Result<R> {
    let result = tokio::time::timeout(COMMIT_DEADLINE, commit).await;
    result.map_err(|_| Error::silent())?
}
