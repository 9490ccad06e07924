use testkit::{TcpProxy, TestDatabase, database, database::through};

async fn names(database: &TestDatabase) -> usize {
    database.rows("select name from notes").await.len()
}

#[tokio::test]
async fn databases_do_not_see_each_other() {
    let (first, second) = tokio::join!(database(), database());
    for database in [&first, &second] {
        database.execute("create table notes (name text)").await;
    }
    first
        .execute("insert into notes values ('only here')")
        .await;
    assert_eq!((names(&first).await, names(&second).await), (1, 0));
}

#[tokio::test]
async fn many_at_once_share_one_template() {
    let databases = tokio::join!(database(), database(), database(), database());
    let templates = "select datname from pg_database where datname ~ '_draft$'";
    assert!(databases.0.rows(templates).await.is_empty());
    let migrations = "select version from _sqlx_migrations where success";
    let expected = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations"))
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|it| it == "sql")
        })
        .count();
    assert_eq!(databases.3.rows(migrations).await.len(), expected);
}

#[tokio::test]
async fn every_role_of_the_migrations_can_log_in() {
    let database = database().await;
    let urls = [
        &database.gateway_url,
        &database.ingest_url,
        &database.worker_url,
    ];
    for (url, role) in urls
        .into_iter()
        .zip(["labwire_gateway", "labwire_ingest", "labwire_worker"])
    {
        let user: String = sqlx_user(url).await;
        assert_eq!(user, role);
    }
}

#[tokio::test]
async fn a_dropped_database_is_gone() {
    let other = database().await;
    let gone = database().await;
    let name = gone.name.clone();
    drop(gone);
    let query = format!("select datname from pg_database where datname = '{name}'");
    assert!(other.rows(&query).await.is_empty());
}

#[tokio::test]
async fn a_database_can_be_reached_through_a_proxy_and_cut_off() {
    let database = database().await;
    let proxy = TcpProxy::start(address_of(&database.owner_url)).await;
    let url = through(&database.owner_url, proxy.address());
    assert_eq!(sqlx_user(&url).await, "labwire_owner");
    proxy.cut().await;
    assert!(try_user(&url).await.is_err());
    proxy.heal().await;
    assert_eq!(sqlx_user(&url).await, "labwire_owner");
}

async fn sqlx_user(url: &str) -> String {
    try_user(url).await.unwrap()
}

async fn try_user(url: &str) -> sqlx::Result<String> {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(url).await?;
    sqlx::query_scalar("select current_user::text")
        .fetch_one(&mut connection)
        .await
}

fn address_of(url: &str) -> std::net::SocketAddr {
    let url = url::Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
        .parse()
        .unwrap()
}
