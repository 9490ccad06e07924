use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};
use storage::{Connection, Database};
use testkit::{TcpProxy, database::through, eventually};

const LIMIT: Duration = Duration::from_secs(10);
/// The answer is under way for so long that we are gone before it is there.
const DELAY: Duration = Duration::from_millis(300);

/// Whoever drops a future while it waits for the answer to `BEGIN` leaves a connection that is in a transaction and does not
/// know it.
#[tokio::test]
async fn a_beginning_that_was_given_up_does_not_swallow_what_comes_after_it() {
    let (test, proxy, database) = through_proxy(1).await;
    database.ping().await.unwrap();

    proxy.delay(DELAY).await;
    tokio::select! {
        biased;
        () = until_begun(&test.worker_url) => {}
        _ = database.begin() => panic!("the answer came too early"),
    }
    proxy.heal().await;

    let mut connection = database.acquire().await.unwrap();
    insert(&mut connection).await;
    let seen = test.rows("select count(*) as n from replicas").await;
    assert_eq!(seen[0]["n"], 1);
}

async fn through_proxy(connections: u32) -> (testkit::TestDatabase, TcpProxy, Database) {
    let test = testkit::database().await;
    let url: url::Url = test.worker_url.parse().unwrap();
    let server = url.socket_addrs(|| None).unwrap().remove(0);
    let proxy = TcpProxy::start(server).await;
    let url = through(&test.worker_url, proxy.address());
    let database = Database::connect(&url, connections, LIMIT).unwrap();
    (test, proxy, database)
}

async fn insert(connection: &mut Connection) {
    let query = "INSERT INTO replicas VALUES ('send', gen_random_uuid(), now())";
    connection.execute(query).await.unwrap();
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_out_to_have_happened() {
    let (test, proxy, database) = through_proxy(4).await;
    let mut tx = database.begin().await.unwrap();
    insert(&mut tx).await;
    // What is sent is executed; nothing comes back, on this connection and on all others until it heals.
    proxy.delay(DELAY).await;
    let heal = async {
        until_count(&test, 1).await;
        proxy.reset().await;
        proxy.heal().await;
    };
    let (committed, ()) = tokio::join!(database.commit(tx), heal);
    committed.unwrap();
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_found_out_not_to_have_happened() {
    let (test, proxy, database) = through_proxy(4).await;
    let mut tx = database.begin().await.unwrap();
    insert(&mut tx).await;
    // Its connection is silent for ever, and the server waits for a word of it.
    proxy.abandon().await;
    let error = database.commit(tx).await.unwrap_err();
    assert!(error.is_unavailable());
    until_count(&test, 0).await;
}

async fn until_count(test: &testkit::TestDatabase, count: i64) {
    eventually(LIMIT, async || {
        let seen = test.rows("select count(*) as n from replicas").await;
        if seen[0]["n"] == count {
            Ok(())
        } else {
            Err(seen)
        }
    })
    .await;
}

/// Until the server is in a transaction of this role.
async fn until_begun(url: &str) {
    let mut witness = PgConnection::connect(url).await.unwrap();
    eventually(LIMIT, async || {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND state = 'idle in transaction'";
        let begun: i64 = sqlx::query_scalar(query)
            .fetch_one(&mut witness)
            .await
            .unwrap();
        begun == 1
    })
    .await;
}
