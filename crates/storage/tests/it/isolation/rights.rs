use domain::{EventId, WorkId};
use storage::{
    credentials::{list_credentials, upsert_credential},
    events::{NewEvent, insert_events, list_events},
    tenants::{find_data_key, insert_data_key},
    webhook_apps::{WebhookApp, find_app, upsert_app},
    work,
};
use uuid::Uuid;

use super::{credential, denied, try_statement, two_labs};
use crate::{
    support::{now, seconds, stage},
    work::any_flow,
};

#[tokio::test]
async fn the_gateway_writes_tokens_that_it_cannot_read_back() {
    let (stage, a, _) = two_labs().await;
    let mut tx = stage.gateway.begin_for(&[a.tenant]).await.unwrap();
    upsert_credential(&mut tx, &credential(a, b"a newer token"), now())
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let tenants = [a.tenant];
    for statement in [
        "select access_token from credentials",
        "select * from credentials",
        "update credentials set last_four = access_token::text",
        "update credentials set last_four = last_four returning access_token",
    ] {
        let verdict = try_statement(&stage.gateway, &tenants, statement).await;
        assert_eq!(verdict, denied(), "{statement}");
    }
    let read = "select id, last_four, updated_at from credentials";
    assert_eq!(try_statement(&stage.gateway, &tenants, read).await, Ok(1));

    let mut worker = stage.work().await;
    let stored = list_credentials(&mut worker, &[a.number]).await.unwrap();
    assert_eq!(stored[&a.number].access_token, b"a newer token");
}

#[tokio::test]
async fn a_webhook_is_stored_and_its_work_is_born_released() {
    let stage = stage().await;
    let event = event();
    let mut connection = stage.ingest.acquire().await.unwrap();
    insert_events(&mut connection, &[&event], Some(now() + seconds(5)))
        .await
        .unwrap();

    let mut tx = stage.work().await;
    let stored = list_events(&mut tx, &[event.id]).await.unwrap();
    assert_eq!((stored.len(), stored[0].body.clone()), (1, event.body));
    let claims = work::claim(&mut tx, &[(event.work, 0)], now(), now() + seconds(60))
        .await
        .unwrap();
    assert_eq!(claims[0].subject, event.id.as_uuid());
}

fn event() -> NewEvent {
    NewEvent {
        id: EventId::new_at(now()),
        app_key: "meta".to_owned(),
        headers: serde_json::json!({"content-type": "application/json"}),
        body: b"sealed body".to_vec(),
        received_at: now(),
        work: WorkId::new_at(now()),
        flow: any_flow(),
        traceparent: None,
    }
}

#[tokio::test]
async fn ingest_reads_apps_and_the_platforms_key_and_nothing_else() {
    let (stage, a, _) = two_labs().await;
    let app = WebhookApp {
        key: "meta".to_owned(),
        app_secret: b"sealed".to_vec(),
        verify_token: b"sealed".to_vec(),
        tenant_id: None,
    };
    let mut owner = stage.owner.begin().await.unwrap();
    upsert_app(&mut owner, &app, now()).await.unwrap();
    insert_data_key(&mut owner, Uuid::nil(), b"the platform's", now())
        .await
        .unwrap();
    owner.commit().await.unwrap();

    let mut tx = stage.ingest.begin_for(&[a.tenant]).await.unwrap();
    assert!(find_app(&mut tx, "meta").await.unwrap().is_some());
    let platform = find_data_key(&mut tx, Uuid::nil()).await.unwrap();
    assert_eq!(platform.as_deref(), Some(&b"the platform's"[..]));
    assert_eq!(
        find_data_key(&mut tx, a.tenant.as_uuid()).await.unwrap(),
        None
    );

    let readable = stage
        .test
        .rows(
            "select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace
               and c.relkind in ('r', 'p') and has_any_column_privilege('labwire_ingest', c.oid, 'SELECT') order by 1",
        )
        .await;
    let names: Vec<&str> = readable
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["data_keys", "webhook_apps"]);
}

#[tokio::test]
async fn a_worker_knows_whose_an_app_is_and_not_its_secrets() {
    let (stage, ..) = two_labs().await;
    let known = try_statement(
        &stage.worker,
        &[],
        "select key, tenant_id from webhook_apps",
    )
    .await;
    assert_eq!(known, Ok(2));
    for secret in ["app_secret", "verify_token"] {
        let read = format!("select {secret} from webhook_apps");
        let verdict = try_statement(&stage.worker, &[], &read).await;
        assert_eq!(verdict, denied(), "{secret}");
    }
}

#[tokio::test]
async fn ingest_inserts_work_of_events_only() {
    let (stage, a, _) = two_labs().await;
    let insert = |kind: &str, tenant: &str| {
        format!(
            "insert into work (id, kind, flow, partition, lane, subject, tenant_id, state, due_at, created_at)
             values (gen_random_uuid(), '{kind}', gen_random_uuid(), 0, 1, gen_random_uuid(), {tenant}, 'waiting', now(), now())"
        )
    };
    let tenant = format!("'{}'", a.tenant.as_uuid());
    for (kind, tenant, verdict) in [
        ("event", "null", Ok(1)),
        ("send", "null", denied()),
        ("event", &*tenant, denied()),
        ("callback", &*tenant, denied()),
    ] {
        let statement = insert(kind, tenant);
        assert_eq!(
            try_statement(&stage.ingest, &[a.tenant], &statement).await,
            verdict,
            "{kind} {tenant}"
        );
    }
    for statement in [
        "update work set state = 'waiting'",
        "delete from work",
        "delete from events",
        "insert into vendors values (gen_random_uuid(), 'v', now())",
    ] {
        assert_eq!(
            try_statement(&stage.ingest, &[a.tenant], statement).await,
            denied(),
            "{statement}"
        );
    }
}

#[tokio::test]
async fn what_was_received_and_accepted_cannot_be_changed_by_anyone() {
    let (stage, a, _) = two_labs().await;
    for database in [&stage.gateway, &stage.ingest, &stage.worker] {
        for statement in [
            "update events set body = ''",
            "delete from events",
            "truncate events",
            "update messages set content = ''",
            "delete from messages",
            "truncate messages",
            "update timeline set detail = '{}'",
            "delete from timeline",
        ] {
            assert_eq!(
                try_statement(database, &[a.tenant], statement).await,
                denied(),
                "{statement}"
            );
        }
    }
}

#[tokio::test]
async fn no_role_can_change_the_schema_or_become_another() {
    let (stage, a, _) = two_labs().await;
    for database in [&stage.gateway, &stage.ingest, &stage.worker] {
        for statement in [
            "alter table messages disable row level security",
            "alter table work add column more text",
            "drop policy messages_gateway on messages",
            "drop table events",
            "create table mine (id uuid)",
            "create or replace function current_tenants() returns uuid[] language sql as $$ select null::uuid[] $$",
            "create role mine",
            "alter role labwire_gateway bypassrls",
            "set role labwire_owner",
            "set role labwire_worker; select 1 from messages; set role labwire_gateway; set role labwire_ingest",
            "set session authorization labwire_owner",
        ] {
            assert_eq!(
                try_statement(database, &[a.tenant], statement).await,
                denied(),
                "{statement}"
            );
        }
    }
    // Turning it off for the session does not open the tables: it makes every query an error.
    let off = "set row_security = off; select 1 from messages";
    assert_eq!(
        try_statement(&stage.gateway, &[a.tenant], off).await,
        denied()
    );
}

#[tokio::test]
async fn no_role_has_rights_beyond_its_own() {
    let stage = stage().await;
    let roles = stage
        .test
        .rows(
            "select rolname as name from pg_roles where rolname in ('labwire_gateway', 'labwire_ingest', 'labwire_worker')
               and not (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)
               and not exists (select from pg_auth_members m where m.member = pg_roles.oid)",
        )
        .await;
    assert_eq!(roles.len(), 3, "{roles:?}");
    let public = stage
        .test
        .rows(
            "select c.relname as name from pg_class c, aclexplode(c.relacl) acl
             where c.relnamespace = 'public'::regnamespace and acl.grantee = 0",
        )
        .await;
    assert!(public.is_empty(), "{public:?}");
}

/// A function that runs as the owner must name its search path, and who may call it.
#[tokio::test]
async fn functions_of_the_owner_are_fenced() {
    let stage = stage().await;
    let functions = stage
        .test
        .rows(
            "select p.proname as name, p.proconfig::text as settings,
                    exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) acl where acl.grantee = 0) as public
             from pg_proc p where p.prosecdef and p.pronamespace = 'public'::regnamespace",
        )
        .await;
    assert!(functions.len() >= 3, "{functions:?}");
    for function in functions {
        let settings = function["settings"].as_str().unwrap_or_default();
        assert!(settings.contains("search_path"), "{function}");
        assert_eq!(function["public"], false, "{function}");
    }
    for (database, allowed) in [
        (&stage.worker, true),
        (&stage.gateway, false),
        (&stage.ingest, false),
    ] {
        for call in [
            "select ensure_partitions(now())",
            "select drop_partitions(now() - interval '1 year')",
        ] {
            let verdict = try_statement(database, &[], call).await;
            assert_eq!(verdict, if allowed { Ok(1) } else { denied() }, "{call}");
        }
    }
    assert_eq!(
        try_statement(
            &stage.worker,
            &[],
            "select * from find_api_keys(array[gen_random_uuid()])"
        )
        .await,
        denied()
    );
}
