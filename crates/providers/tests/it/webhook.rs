use chrono::{DateTime, Utc};
use providers::meta::webhook::{EnvelopeError, Inbound, Item, Status, StatusKind, parse};
use rstest::rstest;
use serde_json::{Value, json};

pub(crate) fn envelope(changes: Value) -> String {
    let entry = json!({"id": "102290129340398", "time": 1_750_000_000, "changes": changes});
    json!({"entry": [entry], "object": "whatsapp_business_account"}).to_string()
}

/// A `messages` change with these lists beside the metadata.
pub(crate) fn change(lists: Value) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
    });
    value
        .as_object_mut()
        .unwrap()
        .extend(lists.as_object().unwrap().clone());
    json!({"field": "messages", "value": value})
}

pub(crate) fn items(body: &str) -> Vec<Item> {
    parse(body.as_bytes()).unwrap()
}

fn only(change: Value) -> Item {
    let mut items = items(&envelope(json!([change])));
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

fn only_status(element: Value) -> Status {
    match only(change(json!({"statuses": [element]}))) {
        Item::Status(status) => status,
        other => panic!("expected a status, got {other:?}"),
    }
}

fn only_inbound(element: Value, contacts: Value) -> Inbound {
    match only(change(json!({"messages": [element], "contacts": contacts}))) {
        Item::Inbound(inbound) => inbound,
        other => panic!("expected an inbound message, got {other:?}"),
    }
}

fn inbound_of(kind: &str, content: Value) -> Inbound {
    let mut element =
        json!({"id": "wamid.IN", "from": "919876543210", "timestamp": "1750030073", "type": kind});
    element
        .as_object_mut()
        .unwrap()
        .insert(kind.to_owned(), content);
    only_inbound(element, Value::Null)
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

#[test]
fn a_status_has_all_that_finds_its_message() {
    let status = only_status(
        json!({"id": "wamid.OUT", "status": "delivered", "timestamp": "1750030073",
        "recipient_id": "919876543210", "recipient_user_id": "IN.1349", "biz_opaque_callback_data": "msg_01",
        "conversation": {"id": "c"}, "pricing": {"billable": true}}),
    );
    let expected = Status {
        phone_number_id: "106540352242922".to_owned(),
        waba_id: "102290129340398".to_owned(),
        wamid: "wamid.OUT".to_owned(),
        status: StatusKind::Delivered,
        at: at(1_750_030_073),
        opaque: Some("msg_01".to_owned()),
        recipient_id: Some("919876543210".to_owned()),
        recipient_user_id: Some("IN.1349".to_owned()),
        errors: Vec::new(),
    };
    assert!(status == expected);
}

#[rstest]
#[case("sent", StatusKind::Sent)]
#[case("delivered", StatusKind::Delivered)]
#[case("read", StatusKind::Read)]
#[case("played", StatusKind::Played)]
#[case("failed", StatusKind::Failed)]
#[case("warning", StatusKind::Unknown("warning".to_owned()))]
fn statuses_are_known_by_name_and_others_kept(#[case] name: &str, #[case] expected: StatusKind) {
    let status = only_status(json!({"id": "wamid.OUT", "status": name, "timestamp": "1750030073"}));
    assert_eq!(status.status, expected);
}

#[test]
fn a_failed_status_has_its_errors_in_new_and_old_forms() {
    let status = only_status(
        json!({"id": "wamid.OUT", "status": "failed", "timestamp": "1750030073", "recipient_id": "919876543210",
        "errors": [
            {"code": 131_026, "title": "Message undeliverable", "message": "Message undeliverable",
                "error_data": {"details": "Message Undeliverable."}, "href": "https://…"},
            {"code": "131047", "title": "Re-engagement message", "details": "More than 24 hours"},
            {"title": "without a code"},
        ]}),
    );
    let codes: Vec<i64> = status.errors.iter().map(|error| error.code).collect();
    assert_eq!(codes, [131_026, 131_047]);
    assert_eq!(
        status.errors[0].details,
        Some("Message Undeliverable.".to_owned())
    );
    assert_eq!(
        status.errors[1].details,
        Some("More than 24 hours".to_owned())
    );
    assert_eq!(status.errors[1].message, None);
}

#[rstest]
#[case::seconds(json!("1750030073"), 1_750_030_073_000)]
#[case::seconds_as_number(json!(1_750_030_073), 1_750_030_073_000)]
#[case::milliseconds(json!("1750030073123"), 1_750_030_073_123)]
#[case::milliseconds_as_number(json!(1_750_030_073_123_i64), 1_750_030_073_123)]
#[case::last_second(json!(999_999_999_999_i64), 999_999_999_999_000)]
#[case::first_millisecond(json!(1_000_000_000_000_i64), 1_000_000_000_000)]
#[case::missing(Value::Null, 1_750_000_000_000)]
#[case::odd(json!("yesterday"), 1_750_000_000_000)]
#[case::negative(json!(-5), 1_750_000_000_000)]
#[case::beyond_the_calendar(json!(i64::MAX), 1_750_000_000_000)]
fn an_instant_is_found_in_each_form_or_taken_from_the_entry(
    #[case] timestamp: Value,
    #[case] expected: i64,
) {
    let status = only_status(json!({"id": "wamid.OUT", "status": "sent", "timestamp": timestamp}));
    assert_eq!(status.at.timestamp_millis(), expected);
}

#[test]
fn a_text_has_its_sender_name_and_words() {
    let element = json!({"id": "wamid.IN", "from": "919876543210", "timestamp": "1750030073", "type": "text",
        "text": {"body": "धन्यवाद 👍"}, "context": {"from": "15550783881", "id": "wamid.OUT"}});
    let contacts =
        json!([{"profile": {"name": "Asha"}, "wa_id": "919876543210", "user_id": "IN.1349"}]);
    let inbound = only_inbound(element.clone(), contacts);
    let expected = Inbound {
        phone_number_id: "106540352242922".to_owned(),
        waba_id: "102290129340398".to_owned(),
        wamid: "wamid.IN".to_owned(),
        from: Some("919876543210".to_owned()),
        from_user_id: Some("IN.1349".to_owned()),
        profile_name: Some("Asha".to_owned()),
        at: at(1_750_030_073),
        kind: "text".to_owned(),
        text: Some("धन्यवाद 👍".to_owned()),
        context_wamid: Some("wamid.OUT".to_owned()),
        media: None,
        raw: element,
    };
    assert!(inbound == expected);
}

#[rstest]
#[case("button", json!({"payload": "P", "text": "Yes"}), Some("Yes"))]
#[case("interactive", json!({"type": "button_reply", "button_reply": {"id": "1", "title": "Book"}}), Some("Book"))]
#[case("interactive", json!({"type": "list_reply", "list_reply": {"id": "1", "title": "CBC", "description": "d"}}), Some("CBC"))]
#[case("image", json!({"id": "1", "caption": "My scan"}), Some("My scan"))]
#[case("document", json!({"id": "1", "caption": "My report"}), Some("My report"))]
#[case("audio", json!({"id": "1", "voice": true}), None)]
#[case("location", json!({"latitude": 1.5, "longitude": 2.5}), None)]
#[case("reaction", json!({"message_id": "wamid.OUT"}), None)]
#[case("unsupported", json!({"type": "poll"}), None)]
#[case("hologram", json!({"caption": "not known as a file"}), None)]
fn what_there_is_to_read_is_found(
    #[case] kind: &str,
    #[case] content: Value,
    #[case] expected: Option<&str>,
) {
    let inbound = inbound_of(kind, content);
    assert_eq!(inbound.kind, kind);
    assert_eq!(inbound.text.as_deref(), expected);
}

#[rstest]
#[case("image", json!({"id": "1", "mime_type": "image/jpeg", "sha256": "…"}), None)]
#[case("document", json!({"id": "1", "mime_type": "image/jpeg", "filename": "scan.jpg"}), Some("scan.jpg"))]
#[case("video", json!({"id": "1", "mime_type": "image/jpeg"}), None)]
#[case("audio", json!({"id": 1, "mime_type": "image/jpeg"}), None)]
#[case("sticker", json!({"id": "1", "mime_type": "image/jpeg"}), None)]
fn files_are_found(#[case] kind: &str, #[case] content: Value, #[case] filename: Option<&str>) {
    let media = inbound_of(kind, content).media.unwrap();
    assert_eq!(
        (media.id.as_str(), media.mime_type.as_deref()),
        ("1", Some("image/jpeg"))
    );
    assert_eq!(media.filename.as_deref(), filename);
}

#[rstest]
#[case::user_id_only(json!({"from_user_id": "IN.1349"}), None, Some("IN.1349"), Some("Asha"))]
#[case::empty_number(json!({"from": "", "from_user_id": "IN.1349"}), None, Some("IN.1349"), Some("Asha"))]
#[case::user_id_as_number(json!({"from": "IN.1349"}), None, Some("IN.1349"), Some("Asha"))]
#[case::user_id_of_a_group(json!({"from": "IN.ENT.77"}), None, Some("IN.ENT.77"), None)]
#[case::number_only(json!({"from": "919811111111"}), Some("919811111111"), Some("IN.2"), Some("Ravi"))]
#[case::neither(json!({}), None, None, None)]
fn the_sender_is_found_with_or_without_a_number(
    #[case] sender: Value,
    #[case] from: Option<&str>,
    #[case] user_id: Option<&str>,
    #[case] name: Option<&str>,
) {
    let mut element = json!({"id": "wamid.IN", "timestamp": "1750030073", "type": "system"});
    element
        .as_object_mut()
        .unwrap()
        .extend(sender.as_object().unwrap().clone());
    let contacts = json!([
        {"profile": {"name": "Ravi"}, "wa_id": "919811111111", "user_id": "IN.2"},
        {"profile": {"name": "Asha", "username": "@asha"}, "user_id": "IN.1349"},
        {"profile": {"name": "Nobody"}, "wa_id": ""},
    ]);
    let inbound = only_inbound(element, contacts);
    assert_eq!(inbound.from.as_deref(), from);
    assert_eq!(inbound.from_user_id.as_deref(), user_id);
    assert_eq!(inbound.profile_name.as_deref(), name);
}

#[test]
fn news_of_the_account_come_as_they_are() {
    let value = json!({"event": "PAUSED", "message_template_id": 1, "message_template_name": "report_ready",
        "message_template_language": "en_US", "reason": null});
    let Item::Account(account) =
        only(json!({"field": "message_template_status_update", "value": value}))
    else {
        panic!("expected news of an account")
    };
    assert_eq!(account.waba_id, "102290129340398");
    assert_eq!(account.field, "message_template_status_update");
    assert_eq!(account.value, value);
}

#[rstest]
#[case("history")]
#[case("smb_message_echoes")]
#[case("something_new")]
fn other_fields_are_named(#[case] field: &str) {
    let item = only(json!({"field": field, "value": {"metadata": 1}}));
    assert_eq!(
        item,
        Item::Unknown {
            field: field.to_owned()
        }
    );
}

#[test]
fn a_change_of_messages_without_any_is_named() {
    let item = only(change(json!({"statuses": [], "messages": null})));
    assert_eq!(
        item,
        Item::Unknown {
            field: "messages".to_owned()
        }
    );
}

#[test]
fn errors_of_the_number_come_beside_messages() {
    let found = items(&envelope(json!([change(json!({
        "errors": [{"code": 130_429, "title": "Rate limit hit"}],
        "messages": [{"id": "wamid.IN", "timestamp": "1", "type": "text"}],
    }))])));
    assert!(matches!(&found[0], Item::Inbound(_)));
    let Item::Errors(errors) = &found[1] else {
        panic!("expected errors, got {:?}", found[1])
    };
    assert_eq!(errors.errors[0].code, 130_429);
    assert_eq!(found.len(), 2);
}

#[rstest]
#[case("", EnvelopeError::NotJson)]
#[case(
    "{\"object\":\"whatsapp_business_account\",\"entry\":[",
    EnvelopeError::NotJson
)]
#[case("[]", EnvelopeError::NotWhatsApp)]
#[case("{}", EnvelopeError::NotWhatsApp)]
#[case(r#"{"object":"page","entry":[]}"#, EnvelopeError::NotWhatsApp)]
#[case(
    r#"{"object":"whatsapp_business_account"}"#,
    EnvelopeError::NotWhatsApp
)]
fn what_is_no_webhook_is_refused(#[case] body: &str, #[case] expected: EnvelopeError) {
    assert_eq!(parse(body.as_bytes()), Err(expected));
}

#[test]
fn an_empty_webhook_has_no_items() {
    assert_eq!(
        items(r#"{"object":"whatsapp_business_account","entry":[]}"#),
        []
    );
}
