use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};
use storage::Database;
use testkit::{TcpProxy, database::through, eventually};

const LIMIT: Duration = Duration::from_secs(10);
/// The answer is under way for so long that we are gone before it is there.
const DELAY: Duration = Duration::from_millis(300);

/// Whoever drops a future while it waits for the answer to `BEGIN` leaves a connection that is in a transaction and does not
/// know it.
#[tokio::test]
async fn a_beginning_that_was_given_up_does_not_swallow_what_comes_after_it() {
    let test = testkit::database().await;
    let url: url::Url = test.worker_url.parse().unwrap();
    let server = url.socket_addrs(|| None).unwrap().remove(0);
    let proxy = TcpProxy::start(server).await;
    let url = through(&test.worker_url, proxy.address());
    let database = Database::connect(&url, 1, LIMIT).unwrap();
    database.ping().await.unwrap();

    proxy.delay(DELAY).await;
    tokio::select! {
        biased;
        () = until_begun(&test.worker_url) => {}
        _ = database.begin() => panic!("the answer came too early"),
    }
    proxy.heal().await;

    let mut connection = database.acquire().await.unwrap();
    connection
        .execute("INSERT INTO replicas VALUES ('send', gen_random_uuid(), now())")
        .await
        .unwrap();
    let seen = test.rows("select count(*) as n from replicas").await;
    assert_eq!(seen[0]["n"], 1);
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
