use meta_simulator::Template;
use rstest::rstest;
use serde_json::{Value, json};

use crate::lab::{Lab, MEERA, NUMBER, WABA, code};

fn named(names: &[&str]) -> Value {
    let parameter = |name: &&str| json!({ "type": "text", "parameter_name": name, "text": format!("<{name}>") });
    json!({ "type": "body", "parameters": names.iter().map(parameter).collect::<Vec<_>>() })
}

fn positional(kind: &str, count: usize) -> Value {
    let parameter = |index| json!({ "type": "text", "text": format!("<{index}>") });
    json!({ "type": kind, "parameters": (1..=count).map(parameter).collect::<Vec<_>>() })
}

fn header(kind: &str) -> Value {
    json!({ "type": "header", "parameters": [{ "type": kind, kind: { "link": "http://127.0.0.1:1/a" } }] })
}

fn url_button(index: &Value) -> Value {
    json!({ "type": "button", "sub_type": "URL", "index": index,
            "parameters": [{ "type": "text", "text": "abc" }] })
}

fn template(name: &str, language: &str, components: &[Value]) -> Value {
    json!({ "to": MEERA, "type": "template",
            "template": { "name": name, "language": { "code": language }, "components": components } })
}

fn reminder(components: &[Value]) -> Value {
    template("appointment_reminder", "en_US", components)
}

fn report(components: &[Value]) -> Value {
    template("report_ready", "en_US", components)
}

const NAMES: [&str; 3] = ["lab_name", "test_name", "patient_name"];

#[rstest]
#[case::named_in_any_order(report(&[header("document"), named(&NAMES)]))]
#[case::positional(reminder(&[positional("header", 1), positional("body", 3), url_button(&json!("0"))]))]
#[case::index_as_a_number(reminder(&[positional("HEADER", 1), positional("BODY", 3), url_button(&json!(0))]))]
#[tokio::test]
async fn a_template_is_accepted(#[case] message: Value) {
    let lab = Lab::open().await;
    let (status, answer) = lab.send(message).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["messages"][0]["message_status"], "accepted");
}

#[rstest]
#[case::unknown_name(template("nothing", "en_US", &[]), 132_001)]
#[case::unknown_language(template("report_ready", "fr", &[]), 132_001)]
#[case::no_parameters(report(&[header("document")]), 132_000)]
#[case::one_too_few(reminder(&[positional("header", 1), positional("body", 2)]), 132_000)]
#[case::one_too_many(reminder(&[positional("header", 1), positional("body", 4)]), 132_000)]
#[case::no_header(report(&[named(&NAMES)]), 132_012)]
#[case::another_header(report(&[header("image"), named(&NAMES)]), 132_012)]
#[case::names_left_out(report(&[header("document"), positional("body", 3)]), 132_012)]
#[case::unknown_parameter(report(&[header("document"), named(&["lab_name", "test_name", "age"])]), 132_012)]
#[case::a_name_twice(report(&[header("document"), named(&["lab_name", "lab_name", "test_name"])]), 132_012)]
#[case::names_of_a_positional(reminder(&[positional("header", 1), named(&NAMES)]), 132_012)]
#[case::no_url_parameter(reminder(&[positional("header", 1), positional("body", 3)]), 131_008)]
#[case::no_such_button(reminder(&[positional("header", 1), positional("body", 3), url_button(&json!(7))]), 132_012)]
#[case::a_quick_reply_is_no_url(reminder(&[positional("header", 1), positional("body", 3), url_button(&json!(0)), url_button(&json!(1))]), 132_012)]
#[case::new_line(template("health_camp", "en_US", &[json!({ "type": "body", "parameters": [{ "type": "text", "text": "a\nb" }] })]), 132_018)]
#[case::too_long(template("health_camp", "en_US", &[json!({ "type": "body", "parameters": [{ "type": "text", "text": "x".repeat(1024) }] })]), 132_005)]
#[tokio::test]
async fn a_template_that_does_not_fit_is_refused(#[case] message: Value, #[case] expected: u64) {
    let lab = Lab::open().await;
    let answer = lab.send(message).await;
    assert_eq!(code(&answer), expected, "{}", answer.1);
    assert_eq!(lab.simulator.ledger().total(), 0);
}

#[rstest]
#[case("PAUSED", 132_015)]
#[case("DISABLED", 132_016)]
#[case("PENDING", 132_001)]
#[case("REJECTED", 132_001)]
#[tokio::test]
async fn a_template_that_is_not_approved_is_refused(#[case] status: &str, #[case] expected: u64) {
    let lab = Lab::open().await;
    let id = lab.simulator.add_template(Template::new(
        WABA,
        "plain",
        "en",
        vec![json!({ "type": "BODY", "text": "hello" })],
    ));
    assert_eq!(lab.send(template("plain", "en", &[])).await.0, 200);
    assert!(lab.simulator.set_template_status(&id, status, None));
    assert_eq!(
        code(&lab.send(template("plain", "en", &[])).await),
        expected
    );
}

#[tokio::test]
async fn the_phone_shows_the_filled_template() {
    let lab = Lab::open().await;
    lab.send(reminder(&[
        positional("header", 1),
        positional("body", 3),
        url_button(&json!("0")),
    ]))
    .await;
    let chat = lab.simulator.conversation(NUMBER, MEERA).unwrap();
    let message = &chat.messages[0];
    assert_eq!(message.header.as_deref(), Some("Appointment <1>"));
    assert_eq!(
        message.text,
        "Dear <1>, your visit is on <2> at <3>. Please bring this message along."
    );
    let choices: Vec<_> = message
        .choices
        .iter()
        .map(|choice| (choice.title.as_str(), choice.url.as_deref()))
        .collect();
    assert_eq!(
        choices,
        [
            ("Directions", Some("https://lab.example/visit/abc")),
            ("Confirm", None)
        ]
    );
}

#[tokio::test]
async fn a_value_that_looks_like_a_placeholder_stays_what_it_is() {
    let lab = Lab::open().await;
    let body = json!({ "type": "body", "parameters": [
        { "type": "text", "text": "{{2}}" }, { "type": "text", "text": "Monday" }, { "type": "text", "text": "ten" },
    ] });
    lab.send(reminder(&[
        positional("header", 1),
        body,
        url_button(&json!("0")),
    ]))
    .await;
    let chat = lab.simulator.conversation(NUMBER, MEERA).unwrap();
    assert!(
        chat.messages[0]
            .text
            .starts_with("Dear {{2}}, your visit is on Monday at ten.")
    );
}

#[tokio::test]
async fn the_marketing_endpoint_takes_marketing_templates_alone() {
    let lab = Lab::open().await;
    let path = format!("/v25.0/{NUMBER}/marketing_messages");
    let mut camp = crate::lab::camp(MEERA, "m-1");
    camp["messaging_product"] = json!("whatsapp");
    assert_eq!(lab.post(&path, &camp).await.0, 200);
    let mut utility = report(&[header("document"), named(&NAMES)]);
    utility["messaging_product"] = json!("whatsapp");
    assert_eq!(code(&lab.post(&path, &utility).await), 134_100);
    let text = json!({ "messaging_product": "whatsapp", "to": MEERA, "text": { "body": "x" } });
    assert_eq!(code(&lab.post(&path, &text).await), 100);
}
