use crate::support::stage;

/// What PostgreSQL would call a constraint by itself says what kind it is and not which rule it states, and gets a number
/// when the name is taken. Errors are told apart by these names.
#[tokio::test]
async fn constraints_and_indexes_have_names_of_their_own() {
    let stage = stage().await;
    let named = stage
        .test
        .rows(
            "select c.conname as name, c.conrelid::regclass::text as place from pg_constraint c
             where c.connamespace = 'public'::regnamespace and c.conparentid = 0 and not c.conislocal is false
               and c.conrelid in (select oid from pg_class where not relispartition)
             union all
             select i.relname, x.indrelid::regclass::text from pg_index x join pg_class i on i.oid = x.indexrelid
             where i.relnamespace = 'public'::regnamespace and not i.relispartition
               and x.indrelid in (select oid from pg_class where not relispartition)",
        )
        .await;
    let ours: Vec<(&str, &str)> = named
        .iter()
        .map(|row| {
            (
                row["name"].as_str().unwrap(),
                row["place"].as_str().unwrap(),
            )
        })
        .filter(|(_, place)| *place != "_sqlx_migrations")
        .collect();
    assert!(ours.len() > 60, "the catalogue query is broken: {ours:?}");
    for (name, place) in ours {
        assert!(
            name.starts_with(place),
            "{name} does not name its table, {place}"
        );
        assert!(
            !name.ends_with(|c: char| c.is_ascii_digit()),
            "{name} was numbered by PostgreSQL"
        );
        // The name that PostgreSQL would have made of a table and its columns.
        for suffix in ["_id_fkey", "_id_key", "_idx", "_excl"] {
            assert!(
                !name.ends_with(suffix) || DELIBERATE.contains(&name),
                "{name} on {place} was named by PostgreSQL"
            );
        }
    }
}

/// Named by us, though they look as if they were not.
const DELIBERATE: [&str; 1] = ["sender_numbers_phone_number_id_key"];

#[tokio::test]
async fn the_indexes_of_partitions_are_those_of_their_table() {
    let stage = stage().await;
    let strays = stage
        .test
        .rows(
            "select i.relname as name from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
             where t.relispartition and not i.relispartition",
        )
        .await;
    assert!(strays.is_empty(), "{strays:?}");
}
