use domain::TenantId;
use serde_json::Value;

use super::{denied, refused_as, try_statement, two_labs};
use crate::support::{Lab, Stage, stage};

/// A table with rows of tenants, and the column that says whose they are.
#[derive(Debug, Clone)]
struct TenantTable {
    name: String,
    owner: String,
}

impl TenantTable {
    /// The condition for the rows of a lab.
    fn of(&self, lab: Lab) -> String {
        format!("{} = '{}'", self.owner, lab.tenant.as_uuid())
    }

    /// Whether a role has a right to the table or to any column of it.
    async fn grants(&self, stage: &Stage, role: &str, right: &str) -> bool {
        let query = match right {
            "DELETE" => format!(
                "select has_table_privilege('{role}', '{}', '{right}') as has",
                self.name
            ),
            _ => format!(
                "select has_any_column_privilege('{role}', '{}', '{right}') as has",
                self.name
            ),
        };
        stage.test.rows(&query).await[0]["has"] == true
    }
}

/// From the catalogue: a table made tomorrow is tested tomorrow.
async fn tenant_tables(stage: &Stage) -> Vec<TenantTable> {
    let rows = stage
        .test
        .rows(
            "select c.relname as name, a.attname as owner
             from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
               and (a.attname = 'tenant_id' or (c.relname, a.attname) in (('tenants', 'id'), ('data_keys', 'owner_id')))
             order by 1",
        )
        .await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let tables: Vec<TenantTable> = rows
        .iter()
        .map(|row| TenantTable {
            name: text(&row["name"]),
            owner: text(&row["owner"]),
        })
        .collect();
    assert!(
        tables.len() >= 19,
        "the catalogue query is broken: {tables:?}"
    );
    tables
}

/// A batch of many labs' rows does not work out for each row again whose they may be.
#[tokio::test]
async fn whose_rows_may_be_touched_is_asked_once_for_each_statement() {
    let stage = stage().await;
    let policies = stage
        .test
        .rows(
            "select policyname as name, concat(qual, with_check) as says from pg_policies
             where concat(qual, with_check) like '%current_tenants()%'",
        )
        .await;
    assert!(policies.len() >= 20, "{policies:?}");
    for policy in policies {
        let says = policy["says"].as_str().unwrap();
        let asked = says.matches("current_tenants()").count();
        let once = says.matches("( SELECT current_tenants()").count();
        assert_eq!(asked, once, "{policy}");
    }
}

const GATEWAY: &str = "labwire_gateway";

#[tokio::test]
async fn every_table_of_tenants_has_row_level_security() {
    let stage = stage().await;
    for table in tenant_tables(&stage).await {
        let query = format!(
            "select c.relrowsecurity as enabled, exists (select from pg_policy p where p.polrelid = c.oid) as has_policy
             from pg_class c where c.oid = '{}'::regclass",
            table.name
        );
        let row = &stage.test.rows(&query).await[0];
        assert!(
            row["enabled"] == true && row["has_policy"] == true,
            "{}: {row}",
            table.name
        );
    }
}

#[tokio::test]
async fn a_table_without_tenants_is_closed_to_the_gateway() {
    let stage = stage().await;
    let with_tenants: Vec<String> = tenant_tables(&stage)
        .await
        .into_iter()
        .map(|t| t.name)
        .collect();
    let open = stage
        .test
        .rows(
            "select c.relname as name from pg_class c
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
               and has_any_column_privilege('labwire_gateway', c.oid, 'SELECT, INSERT, UPDATE')",
        )
        .await;
    assert!(!open.is_empty());
    for row in open {
        let name = row["name"].as_str().unwrap();
        assert!(
            with_tenants.iter().any(|it| it == name),
            "the gateway can reach {name}"
        );
    }
}

/// Row-level security of a table does not reach its partitions: they must have no rights of their own.
#[tokio::test]
async fn partitions_are_reached_through_their_table_only() {
    let stage = stage().await;
    let partitions = stage
        .test
        .rows(
            "select c.relname as name, coalesce((select count(*) from aclexplode(c.relacl) acl where acl.grantee <> c.relowner), 0) as strangers
             from pg_class c where c.relispartition and c.relkind = 'r'",
        )
        .await;
    assert!(partitions.len() >= 8, "{partitions:?}");
    for row in partitions {
        assert_eq!(row["strangers"], 0, "{row}");
    }
}

#[tokio::test]
async fn without_tenants_the_gateway_sees_nothing() {
    let (stage, a, b) = two_labs().await;
    for table in tenant_tables(&stage).await {
        for lab in [a, b] {
            let rows = stage
                .count(&format!("{} where {}", table.name, table.of(lab)))
                .await;
            assert!(rows > 0, "the test puts no row into {}", table.name);
        }
        if table.grants(&stage, GATEWAY, "SELECT").await {
            assert_eq!(seen(&stage, &[], &table, "true").await, 0, "{}", table.name);
        }
    }
}

#[tokio::test]
async fn a_lab_sees_its_own_rows_and_no_others() {
    let (stage, a, b) = two_labs().await;
    let mut looked_at = 0;
    for table in tenant_tables(&stage).await {
        if table.grants(&stage, GATEWAY, "SELECT").await {
            looked_at += 1;
            let own = seen(&stage, &[a.tenant], &table, &table.of(a)).await;
            let all = seen(&stage, &[a.tenant], &table, "true").await;
            assert!(own > 0 && own == all, "{}: {own} of {all}", table.name);
            let both = seen(&stage, &[a.tenant, b.tenant], &table, &table.of(b)).await;
            assert!(both > 0, "{}", table.name);
        }
    }
    assert!(looked_at >= 15, "only {looked_at} tables");
}

async fn seen(stage: &Stage, tenants: &[TenantId], table: &TenantTable, condition: &str) -> u64 {
    let query = format!("select 1 from {} where {condition}", table.name);
    try_statement(&stage.gateway, tenants, &query)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_lab_cannot_insert_rows_of_another() {
    let (stage, a, b) = two_labs().await;
    let mut tried = 0;
    for table in tenant_tables(&stage).await {
        if !table.grants(&stage, GATEWAY, "INSERT").await {
            continue;
        }
        tried += 1;
        // Its own row once more gets as far as the primary key; another's does not.
        let own = copy(&stage, &table, a).await;
        let duplicate = try_statement(&stage.gateway, &[a.tenant], &own).await;
        assert_eq!(duplicate, refused_as("23505"), "{}", table.name);
        let another = copy(&stage, &table, b).await;
        let foreign = try_statement(&stage.gateway, &[a.tenant], &another).await;
        assert_eq!(foreign, denied(), "{}", table.name);
    }
    assert!(tried >= 12, "only {tried} tables");
}

/// The statement that inserts a lab's row again.
async fn copy(stage: &Stage, table: &TenantTable, lab: Lab) -> String {
    let query = format!(
        "select * from {} where {} limit 1",
        table.name,
        table.of(lab)
    );
    let row = &stage.test.rows(&query).await[0];
    let columns = format!(
        "select string_agg(column_name, ', ') as list from information_schema.columns
         where table_name = '{}' and is_generated = 'NEVER'",
        table.name
    );
    let columns = &stage.test.rows(&columns).await[0]["list"];
    let columns = columns.as_str().unwrap();
    format!(
        "insert into {0} ({columns}) select {columns} from json_populate_record(null::{0}, $row${row}$row$)",
        table.name
    )
}

#[tokio::test]
async fn a_lab_cannot_update_delete_or_take_rows_of_another() {
    let (stage, a, b) = two_labs().await;
    let mut tried = 0;
    for table in tenant_tables(&stage).await {
        if let Some(column) = updatable(&stage, &table).await {
            tried += 1;
            let update = |lab| {
                format!(
                    "update {} set {column} = {column} where {}",
                    table.name,
                    table.of(lab)
                )
            };
            let own = try_statement(&stage.gateway, &[a.tenant], &update(a))
                .await
                .unwrap();
            assert!(own > 0, "{}", table.name);
            let foreign = try_statement(&stage.gateway, &[a.tenant], &update(b)).await;
            assert_eq!(foreign, Ok(0), "{}", table.name);
        }
        if table.grants(&stage, GATEWAY, "UPDATE").await {
            let give_away = format!(
                "update {} set {} = '{}'",
                table.name,
                table.owner,
                b.tenant.as_uuid()
            );
            assert_eq!(
                try_statement(&stage.gateway, &[a.tenant], &give_away).await,
                denied(),
                "{}",
                table.name
            );
        }
        if table.grants(&stage, GATEWAY, "DELETE").await {
            let delete = format!("delete from {} where {}", table.name, table.of(b));
            assert_eq!(
                try_statement(&stage.gateway, &[a.tenant], &delete).await,
                Ok(0),
                "{}",
                table.name
            );
            // Without a condition the policy of reading does not help: that of deleting must hold by itself.
            let all = format!("delete from {}", table.name);
            let own = stage
                .count(&format!("{} where {}", table.name, table.of(a)))
                .await;
            assert_eq!(
                try_statement(&stage.gateway, &[a.tenant], &all).await,
                Ok(own.unsigned_abs()),
                "{}",
                table.name
            );
        }
    }
    assert!(tried >= 7, "only {tried} tables");
}

/// A column that the gateway may both read and write.
async fn updatable(stage: &Stage, table: &TenantTable) -> Option<String> {
    let query = format!(
        "select attname as name from pg_attribute where attrelid = '{0}'::regclass and attnum > 0 and attname <> '{1}'
           and has_column_privilege('{GATEWAY}', '{0}', attname, 'SELECT')
           and has_column_privilege('{GATEWAY}', '{0}', attname, 'UPDATE')",
        table.name, table.owner
    );
    let rows = stage.test.rows(&query).await;
    Some(rows.first()?["name"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_tenants_of_a_transaction_end_with_it() {
    let (stage, a, _) = two_labs().await;
    let one =
        storage::Database::connect(&stage.test.gateway_url, 1, crate::support::LIMIT).unwrap();
    let tx = one.begin_for(&[a.tenant]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = one.begin().await.unwrap();
    let rows = sqlx::query("select 1 from messages")
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    assert_eq!(rows.len(), 0);
}
