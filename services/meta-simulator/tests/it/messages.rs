use meta_simulator::{Business, Direction, Inbound, Number, Recipient, Status};
use rstest::rstest;
use serde_json::{Value, json};

use crate::lab::{APP, ASHA, BLOCKER, Lab, MEERA, NOT_ON_WHATSAPP, NUMBER, code, text};

fn interactive(kind: &str, action: &Value) -> Value {
    json!({ "type": "interactive",
            "interactive": { "type": kind, "body": { "text": "Choose" }, "action": action } })
}

fn buttons(count: usize, title: &str) -> Value {
    let button = |index| json!({ "type": "reply", "reply": { "id": format!("{index}"), "title": format!("{title}{index}") } });
    interactive(
        "button",
        &json!({ "buttons": (0..count).map(button).collect::<Vec<_>>() }),
    )
}

fn rows(sections: usize, rows: usize) -> Value {
    let section = |section| {
        let row = |row| json!({ "id": format!("{section}-{row}"), "title": "Row", "description": "A row" });
        json!({ "title": "Section", "rows": (0..rows).map(row).collect::<Vec<_>>() })
    };
    let sections: Vec<_> = (0..sections).map(section).collect();
    interactive("list", &json!({ "button": "Open", "sections": sections }))
}

fn call_to_action(title: &str, url: &str) -> Value {
    interactive(
        "cta_url",
        &json!({ "name": "cta_url", "parameters": { "display_text": title, "url": url } }),
    )
}

fn flow() -> Value {
    let parameters = json!({ "flow_message_version": "3", "flow_id": "1", "flow_cta": "Book", "flow_token": "t" });
    interactive("flow", &json!({ "name": "flow", "parameters": parameters }))
}

#[rstest]
#[case::text(json!({ "type": "text", "text": { "body": "x".repeat(4096), "preview_url": true } }))]
#[case::text_is_the_default(json!({ "text": { "body": "hello" } }))]
#[case::location(json!({ "type": "location", "location": { "latitude": 12.9, "longitude": "77.6" } }))]
#[case::contacts(json!({ "type": "contacts", "contacts": [{ "name": { "formatted_name": "Dr Rao", "first_name": "Rao" } }] }))]
#[case::buttons(buttons(3, "Button "))]
#[case::list(rows(2, 5))]
#[case::call_to_action(call_to_action("Open", "https://lab.example"))]
#[case::flow(flow())]
#[case::location_request(interactive("location_request_message", &json!({ "name": "send_location" })))]
#[case::contact_request(interactive("request_contact_info", &json!({ "name": "request_contact_info" })))]
#[tokio::test]
async fn a_message_of_each_type_arrives(#[case] mut message: Value) {
    let lab = Lab::open().await;
    lab.write_in(MEERA);
    message["to"] = json!(MEERA);
    message["biz_opaque_callback_data"] = json!("m-1");
    let (status, answer) = lab.send(message).await;
    assert_eq!(status, 200, "{answer}");
    assert!(
        answer["messages"][0]["id"]
            .as_str()
            .unwrap()
            .starts_with("wamid.")
    );
    lab.status("m-1", "read").await;
}

#[rstest]
#[case::no_type_content(json!({ "type": "text" }), 131_008)]
#[case::empty_text(json!({ "type": "text", "text": { "body": " " } }), 131_008)]
#[case::long_text(json!({ "type": "text", "text": { "body": "x".repeat(4097) } }), 100)]
#[case::unknown_type(json!({ "type": "poll", "poll": {} }), 100)]
#[case::long_opaque(json!({ "text": { "body": "x" }, "biz_opaque_callback_data": "x".repeat(513) }), 100)]
#[case::four_buttons(buttons(4, "Button "), 131_009)]
#[case::long_button(buttons(1, "twenty characters..."), 100)]
#[case::eleven_rows(rows(1, 11), 131_009)]
#[case::twelve_rows_in_two_sections(rows(2, 6), 131_009)]
#[case::eleven_sections(rows(11, 1), 131_009)]
#[case::no_url(call_to_action("Open", "lab.example"), 131_009)]
#[case::long_display_text(call_to_action(&"x".repeat(21), "https://lab.example"), 100)]
#[case::unknown_interactive(interactive("carousel", &json!({})), 131_051)]
#[case::far_away(json!({ "type": "location", "location": { "latitude": 91, "longitude": 0 } }), 131_009)]
#[case::nameless_contact(json!({ "type": "contacts", "contacts": [{ "name": { "formatted_name": "Rao" } }] }), 131_008)]
#[case::no_file(json!({ "type": "document", "document": { "filename": "a.pdf" } }), 131_008)]
#[case::unknown_file(json!({ "type": "document", "document": { "id": "12" } }), 100)]
#[case::file_and_link(json!({ "type": "image", "image": { "id": "12", "link": "https://lab.example/a.png" } }), 100)]
#[case::name_of_an_image(json!({ "type": "image", "image": { "id": "12", "filename": "a.png" } }), 100)]
#[case::caption_of_an_audio(json!({ "type": "audio", "audio": { "link": "https://lab.example/a", "caption": "a" } }), 100)]
#[tokio::test]
async fn a_malformed_message_is_refused(#[case] mut message: Value, #[case] expected: u64) {
    let lab = Lab::open().await;
    message["to"] = json!(MEERA);
    let answer = lab.send(message).await;
    assert_eq!((answer.0, code(&answer)), (400, expected), "{}", answer.1);
    assert_eq!(answer.1["error"]["type"], "OAuthException");
    assert!(answer.1["error"]["fbtrace_id"].is_string());
    assert_eq!(lab.simulator.ledger().total(), 0);
}

#[rstest]
#[case::none(json!({}), 100)]
#[case::letters(json!({ "to": "+91abc" }), 131_009)]
#[case::the_business_itself(json!({ "to": "+91 80 4718 2200" }), 131_021)]
#[case::no_user_id(json!({ "recipient": "919876543212" }), 131_009)]
#[case::a_group(json!({ "to": MEERA, "recipient_type": "group" }), 100)]
#[tokio::test]
async fn an_impossible_recipient_is_refused(#[case] mut message: Value, #[case] expected: u64) {
    let lab = Lab::open().await;
    message["text"] = json!({ "body": "hello" });
    assert_eq!(code(&lab.send(message).await), expected);
}

#[tokio::test]
async fn a_phone_without_plus_is_taken_as_national() {
    let lab = Lab::open().await;
    let (_, answer) = lab.send(text("(98765) 43-212", "m-1")).await;
    assert_eq!(
        answer["contacts"],
        json!([{ "input": "(98765) 43-212", "wa_id": "919876543212" }])
    );
}

#[tokio::test]
async fn a_user_id_is_answered_without_a_phone() {
    let lab = Lab::open().await;
    lab.simulator.describe(Recipient {
        username: Some("meera".into()),
        ..Recipient::new(MEERA)
    });
    let id = lab.write_in(MEERA);
    let value = lab.inbound_value(&id).await;
    assert!(
        value["messages"][0]["from"].is_null(),
        "a username hides the phone"
    );
    let user_id = value["messages"][0]["from_user_id"].clone();

    let message =
        json!({ "recipient": user_id, "text": { "body": "x" }, "biz_opaque_callback_data": "m-1" });
    let (_, answer) = lab.send(message).await;
    assert_eq!(
        answer["contacts"],
        json!([{ "input": user_id, "user_id": user_id }])
    );
    let delivered = lab.status("m-1", "delivered").await;
    assert_eq!(
        (&delivered["recipient_user_id"], &delivered["recipient_id"]),
        (&user_id, &Value::Null)
    );

    let both = json!({ "to": MEERA, "recipient": user_id, "text": { "body": "x" } });
    let (_, answer) = lab.send(both).await;
    assert_eq!(
        answer["contacts"],
        json!([{ "input": MEERA, "wa_id": "919876543212" }])
    );
}

#[tokio::test]
async fn a_user_id_of_another_portfolio_fails_later() {
    let lab = Lab::open().await;
    lab.simulator.add_business(Business::new("w2", APP));
    lab.simulator
        .add_number(Number::new("n2", "w2", "+918000000000"));
    let id = lab
        .simulator
        .inbound(Inbound::text("n2", MEERA, "hello"))
        .unwrap();
    let elsewhere = lab.inbound_value(&id).await["messages"][0]["from_user_id"].clone();
    for (user_id, opaque) in [(elsewhere, "elsewhere"), (json!("IN.123"), "nowhere")] {
        let message = json!({ "recipient": user_id, "text": { "body": "x" }, "biz_opaque_callback_data": opaque });
        assert_eq!(lab.send(message).await.0, 200);
        let failed = lab.status(opaque, "failed").await;
        assert_eq!(failed["errors"][0]["code"], 131_026);
        assert_eq!(failed["recipient_user_id"], user_id);
    }
}

#[tokio::test]
async fn free_form_outside_the_window_is_accepted_and_fails() {
    let lab = Lab::open().await;
    assert_eq!(lab.send(text(MEERA, "early")).await.0, 200);
    let failed = lab.status("early", "failed").await;
    assert_eq!(failed["errors"][0]["code"], 131_047);
    assert!(
        failed["recipient_user_id"].is_null(),
        "a failed send to a phone has no user id"
    );

    lab.write_in(MEERA);
    lab.send(text(MEERA, "inside")).await;
    lab.status("inside", "delivered").await;

    lab.simulator
        .clock()
        .advance(std::time::Duration::from_hours(24));
    lab.send(text(MEERA, "late")).await;
    lab.status("late", "failed").await;
}

#[tokio::test]
async fn an_unknown_phone_fails_and_a_blocked_one_stays_sent() {
    let lab = Lab::open().await;
    lab.send_camp(NOT_ON_WHATSAPP, "unknown").await;
    let failed = lab.status("unknown", "failed").await;
    assert_eq!(failed["errors"][0]["code"], 131_026);
    lab.send_camp(BLOCKER, "blocked").await;
    lab.send_camp(MEERA, "other").await;
    lab.status("other", "read").await;
    let of_blocked = lab
        .statuses()
        .into_iter()
        .filter(|status| status["biz_opaque_callback_data"] == "blocked");
    assert_eq!(
        of_blocked
            .map(|status| status["status"].clone())
            .collect::<Vec<_>>(),
        ["sent"]
    );
}

#[tokio::test]
async fn statuses_echo_the_opaque_data_and_carry_a_price() {
    let lab = Lab::open().await;
    let (_, answer) = lab.send_camp(MEERA, "m-1").await;
    let sent = lab.status("m-1", "sent").await;
    assert_eq!(sent["id"], answer["messages"][0]["id"]);
    assert_eq!(sent["recipient_id"], "919876543212");
    assert_eq!(
        sent["pricing"],
        json!({ "billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing" })
    );
    assert!(lab.status("m-1", "read").await["pricing"].is_null());
}

#[tokio::test]
async fn marking_as_read_marks_earlier_messages_too() {
    let lab = Lab::open().await;
    lab.write_in(ASHA);
    let last = lab.write_in(ASHA);
    let body =
        json!({ "status": "read", "message_id": last, "typing_indicator": { "type": "text" } });
    assert_eq!(lab.send(body).await, (200, json!({ "success": true })));
    let chat = lab.simulator.conversation(NUMBER, ASHA).unwrap();
    assert!(
        chat.messages
            .iter()
            .all(|message| message.status == Status::Read)
    );
    assert!(chat.typing);
    let unknown = json!({ "status": "read", "message_id": "wamid.none" });
    assert_eq!(code(&lab.send(unknown).await), 131_009);
}

#[tokio::test]
async fn a_reaction_lands_on_its_message_or_fails() {
    let lab = Lab::open().await;
    let id = lab.write_in(MEERA);
    let reaction = |target: &str, opaque: &str| {
        json!({ "to": MEERA, "type": "reaction", "reaction": { "message_id": target, "emoji": "👍" },
                "biz_opaque_callback_data": opaque })
    };
    lab.send(reaction(&id, "good")).await;
    lab.status("good", "sent").await;
    let chat = lab.simulator.conversation(NUMBER, MEERA).unwrap();
    assert_eq!(chat.messages[0].reaction.as_deref(), Some("👍"));
    assert_eq!(chat.messages[0].direction, Direction::Inbound);

    lab.send(reaction("wamid.none", "lost")).await;
    assert_eq!(
        lab.status("lost", "failed").await["errors"][0]["code"],
        131_009
    );
}

#[tokio::test]
async fn any_version_and_none_are_understood() {
    let lab = Lab::open().await;
    let mut message = text(MEERA, "m-1");
    message["messaging_product"] = json!("whatsapp");
    for prefix in ["/v19.0", "/v26.0", ""] {
        assert_eq!(
            lab.post(&format!("{prefix}/{NUMBER}/messages"), &message)
                .await
                .0,
            200
        );
    }
    let unknown = lab
        .post(&format!("/v25.0/{NUMBER}/letters"), &message)
        .await;
    assert_eq!((unknown.0, code(&unknown)), (400, 2500));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let lab = Lab::open().await;
    let request = lab
        .request(reqwest::Method::POST, &format!("/v25.0/{NUMBER}/messages"))
        .body("{");
    assert_eq!(code(&crate::lab::answer(request).await), 100);
    let answer = lab
        .post(
            &format!("/v25.0/{NUMBER}/messages"),
            &json!({ "to": MEERA }),
        )
        .await;
    assert_eq!(
        answer.1["error"]["message"],
        "(#100) The parameter messaging_product is required."
    );
}
