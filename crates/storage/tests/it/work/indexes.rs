use crate::support::stage;

/// A planner that knows the table as it was an hour ago, empty, chooses between two indexes at random. So every condition has
/// one index that answers it: a column is in several only if each holds the rows of another phase. The id that ends
/// `work_waiting` is there for its order, and no statement asks for a phase and an id.
#[tokio::test]
async fn a_condition_on_work_is_answered_by_one_index() {
    let stage = stage().await;
    let keys = stage
        .test
        .rows(
            "select a.attname as column, i.relname as index, pg_get_expr(x.indpred, x.indrelid) as only
             from pg_index x join pg_class i on i.oid = x.indexrelid
             join pg_attribute a on a.attrelid = x.indrelid and a.attnum = any (x.indkey)
             where x.indrelid = 'work'::regclass",
        )
        .await;
    assert!(keys.len() > 10, "the catalogue query is broken: {keys:?}");
    let pairs = keys
        .iter()
        .enumerate()
        .flat_map(|(place, one)| keys.iter().skip(place + 1).map(move |other| (one, other)));
    for (one, other) in pairs.filter(|(one, other)| one["column"] == other["column"]) {
        let of_a_phase = |it: &serde_json::Value| {
            let only = it["only"].as_str().unwrap_or_default();
            only.starts_with("(phase = ")
        };
        let apart = of_a_phase(one) && of_a_phase(other) && one["only"] != other["only"];
        assert!(
            apart || one["column"] == "id",
            "{one} and {other} answer the same condition"
        );
    }
}
