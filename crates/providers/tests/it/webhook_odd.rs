//! Webhooks with elements that are not as they should be.

use proptest::{collection::vec, prelude::*};
use providers::meta::webhook::{Item, parse};
use rstest::rstest;
use serde_json::{Value, json};

use crate::webhook::{change, envelope, items};

fn status(wamid: &str) -> Value {
    json!({"id": wamid, "status": "sent", "timestamp": "1750030073"})
}

fn wamids(items: &[Item]) -> Vec<&str> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Status(status) => Some(status.wamid.as_str()),
            Item::Inbound(inbound) => Some(inbound.wamid.as_str()),
            _ => None,
        })
        .collect()
}

fn malformed(items: &[Item]) -> Vec<&str> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Malformed { pointer } => Some(pointer.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn every_entry_change_and_element_is_found() {
    let inbound = |wamid: &str| json!({"id": wamid, "from": "1", "timestamp": "1", "type": "text"});
    let body = json!({"object": "whatsapp_business_account", "entry": [
        {"id": "1", "changes": [
            change(json!({"statuses": [status("a"), status("b")], "messages": [inbound("c"), inbound("d")]})),
            change(json!({"statuses": [status("e")]})),
        ]},
        {"id": "2", "changes": [change(json!({"messages": [inbound("f")]}))]},
        {"id": "3", "changes": []},
    ]});
    let found = items(&body.to_string());
    assert_eq!(wamids(&found), ["a", "b", "c", "d", "e", "f"]);
    let Item::Inbound(last) = &found[5] else {
        panic!("expected an inbound message")
    };
    assert_eq!(last.waba_id, "2");
    assert_eq!(found.len(), 6);
}

#[rstest]
#[case::no_object(json!("text"))]
#[case::no_id(json!({"status": "sent", "timestamp": "1"}))]
#[case::empty_id(json!({"id": "", "status": "sent", "timestamp": "1"}))]
#[case::no_status(json!({"id": "x", "timestamp": "1"}))]
#[case::nothing(Value::Null)]
fn an_odd_status_is_named_and_the_others_are_found(#[case] odd: Value) {
    let body = envelope(json!([change(
        json!({"statuses": [status("a"), odd, status("b")]})
    )]));
    let found = items(&body);
    assert_eq!(wamids(&found), ["a", "b"]);
    assert_eq!(malformed(&found), ["/entry/0/changes/0/value/statuses/1"]);
}

#[rstest]
#[case::half_a_surrogate_pair(r#"{"id":"x","status":"\ud83d","timestamp":"1"}"#)]
#[case::number_beyond_all(r#"{"id":"x","status":"sent","timestamp":1e999}"#)]
#[case::bottomless(&format!(r#"{{"id":"x","status":"sent","timestamp":{}{}}}"#, "[".repeat(200), "]".repeat(200)))]
fn what_no_parser_takes_stays_in_its_element(#[case] odd: &str) {
    let body = envelope(json!([change(
        json!({"statuses": [status("a"), "ODD", status("b")]})
    )]));
    let found = items(&body.replace("\"ODD\"", odd));
    assert_eq!(wamids(&found), ["a", "b"]);
    assert_eq!(malformed(&found), ["/entry/0/changes/0/value/statuses/1"]);
}

#[test]
fn bytes_that_are_no_text_stay_in_their_element() {
    let body = envelope(json!([change(
        json!({"statuses": [status("a"), status("ODD")]})
    )]));
    let (before, after) = body.split_once("ODD").unwrap();
    let body = [before.as_bytes(), &[0xff], after.as_bytes()].concat();
    assert_eq!(wamids(&parse(&body).unwrap()), ["a", "\u{fffd}"]);
}

#[rstest]
#[case::entry("/entry/0", |odd| json!([odd, {"id": "1", "changes": [change(json!({"statuses": [status("a")]}))]}]))]
#[case::change("/entry/0/changes/0", |odd| json!([{"id": "1", "changes": [odd, change(json!({"statuses": [status("a")]}))]}]))]
#[case::list("/entry/0/changes/0/value/messages", |odd| {
    json!([{"id": "1", "changes": [change(json!({"messages": odd, "statuses": [status("a")]}))]}])
})]
#[case::changes("/entry/0/changes", |odd| json!([{"id": "1", "changes": odd}, {"id": "1", "changes": [change(json!({"statuses": [status("a")]}))]}]))]
fn an_odd_container_is_named_and_the_others_are_read(
    #[case] pointer: &str,
    #[case] entries: fn(Value) -> Value,
) {
    for odd in [json!(7), json!({}), json!("x")] {
        let body = json!({"object": "whatsapp_business_account", "entry": entries(odd)});
        let found = items(&body.to_string());
        assert_eq!(wamids(&found), ["a"], "{body}");
        assert_eq!(malformed(&found), [pointer], "{body}");
    }
}

#[test]
fn a_change_without_a_number_is_named() {
    let body = envelope(json!([
        {"field": "messages", "value": {"statuses": [status("a")]}},
        change(json!({"statuses": [status("b")]})),
    ]));
    let found = items(&body);
    assert_eq!(wamids(&found), ["b"]);
    assert_eq!(malformed(&found), ["/entry/0/changes/0"]);
}

#[test]
fn odd_contacts_cost_only_names() {
    let inbound = json!({"id": "wamid.IN", "from": "1", "timestamp": "1", "type": "text"});
    for contacts in [json!(7), json!([7, {"wa_id": ["1"]}]), Value::Null] {
        let found = items(&envelope(json!([change(
            json!({"messages": [inbound], "contacts": contacts})
        )])));
        assert_eq!(wamids(&found), ["wamid.IN"]);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        "id|from|type|status|timestamp|errors|code|text|body|changes|field|value|metadata|contacts|profile|messages|statuses",
        ".{0,4}",
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((key.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_stands_between_two_statuses_both_are_found_and_it_is_counted(odd in vec(any_json(), 0..5)) {
        let mut statuses = odd.clone();
        statuses.insert(0, status("first"));
        statuses.push(status("last"));
        let found = items(&envelope(json!([change(json!({"statuses": statuses}))])));
        prop_assert_eq!(found.len(), odd.len() + 2);
        prop_assert_eq!(wamids(&found)[0], "first");
        prop_assert_eq!(wamids(&found).pop(), Some("last"));
    }

    #[test]
    fn whatever_stands_beside_a_change_its_status_is_found(
        entry in any_json(), odd in any_json(), field in ".{0,8}", value in any_json(),
        contacts in any_json(), messages in any_json(), errors in any_json(),
    ) {
        let good = change(json!({"statuses": [status("a")], "contacts": contacts, "messages": messages, "errors": errors}));
        let body = json!({"object": "whatsapp_business_account", "entry": [
            entry,
            {"id": "1", "changes": [odd, {"field": field, "value": value}, good]},
        ]});
        let found = items(&body.to_string());
        prop_assert!(wamids(&found).contains(&"a"));
    }

    #[test]
    fn no_bytes_make_it_panic(body in vec(any::<u8>(), 0..200)) {
        // Random bytes are never a whole webhook.
        prop_assert!(parse(&body).is_err());
    }
}
