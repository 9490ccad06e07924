use std::time::Duration;

use meta_simulator::{Effect, Endpoint, Fault, Status};
use rstest::rstest;
use serde_json::json;
use testkit::eventually;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::lab::{Lab, MEERA, NUMBER, TOKEN, camp, code};

fn post(lab: &Lab, opaque: &str) -> reqwest::RequestBuilder {
    let mut message = camp(MEERA, opaque);
    message["messaging_product"] = json!("whatsapp");
    lab.request(reqwest::Method::POST, &format!("/v25.0/{NUMBER}/messages"))
        .json(&message)
}

#[tokio::test]
async fn accepted_and_dropped_is_in_the_ledger_and_has_statuses() {
    let lab = Lab::open().await;
    lab.simulator
        .faults()
        .add(Fault::new(Effect::AcceptThenDrop).times(1));
    assert!(post(&lab, "m-1").send().await.is_err());
    assert_eq!(lab.simulator.ledger().count("m-1"), 1);
    lab.status("m-1", "read").await;
    assert_eq!(post(&lab, "m-2").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn reset_after_the_body_is_not_in_the_ledger() {
    let lab = Lab::open().await;
    lab.simulator
        .faults()
        .add(Fault::new(Effect::RejectAfterBody).times(1));
    assert!(post(&lab, "m-1").send().await.is_err());
    assert_eq!(lab.simulator.ledger().total(), 0);
}

#[tokio::test]
async fn accepted_and_answered_with_an_error_still_arrives() {
    let lab = Lab::open().await;
    lab.simulator
        .faults()
        .add(Fault::new(Effect::AcceptThenError { code: 2 }).times(1));
    let answer = lab.send_camp(MEERA, "m-1").await;
    assert_eq!(
        (answer.0, &answer.1["error"]["is_transient"]),
        (503, &json!(true))
    );
    lab.status("m-1", "delivered").await;
}

#[tokio::test]
async fn a_client_that_goes_away_after_its_body_has_sent_its_message() {
    let lab = Lab::open().await;
    lab.simulator
        .faults()
        .add(Fault::new(Effect::Latency { ms: 50 }).times(1));
    let mut message = camp(MEERA, "m-1");
    message["messaging_product"] = json!("whatsapp");
    let body = message.to_string();
    let address = lab.simulator.base_url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v25.0/{NUMBER}/messages HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The simulator has the whole body once it has taken the fault; then the client is gone.
    eventually(Duration::from_secs(10), async || {
        lab.simulator.faults().list().is_empty()
    })
    .await;
    assert_eq!(lab.simulator.ledger().total(), 0);
    stream.set_zero_linger().unwrap();
    drop(stream);
    lab.accepted(1).await;
    lab.status("m-1", "read").await;
}

#[tokio::test]
async fn a_client_that_goes_away_before_its_body_is_complete_has_sent_nothing() {
    let lab = Lab::open().await;
    let address = lab.simulator.base_url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v25.0/{NUMBER}/messages HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
         content-length: 5000\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    lab.send_camp(MEERA, "m-1").await;
    assert_eq!(lab.simulator.ledger().total(), 1);
}

#[rstest]
#[case(Effect::AnswerHalf { ms: 50 }, 1)]
#[case(Effect::AnswerGarbage, 1)]
#[case(Effect::AnswerPage { status: 502, accepted: true }, 1)]
#[case(Effect::AnswerPage { status: 502, accepted: false }, 0)]
#[tokio::test]
async fn an_answer_that_says_nothing_may_hide_a_message(
    #[case] effect: Effect,
    #[case] accepted: u64,
) {
    let lab = Lab::open().await;
    lab.simulator.faults().add(Fault::new(effect).times(1));
    let answer = post(&lab, "m-1").send().await.unwrap();
    assert!(answer.json::<serde_json::Value>().await.is_err());
    assert_eq!(lab.simulator.ledger().count("m-1"), accepted);
}

#[tokio::test]
async fn the_ledger_knows_what_became_of_a_message_and_whether_that_was_told() {
    let lab = Lab::open().await;
    lab.send_camp(MEERA, "m-1").await;
    lab.status("m-1", "read").await;
    let told = eventually(Duration::from_secs(10), async || {
        let fate = lab.simulator.ledger().find("m-1").remove(0).fate;
        fate.iter().all(|it| it.told).then_some(fate)
    })
    .await;
    let statuses: Vec<_> = told.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [Status::Sent, Status::Delivered, Status::Read]);
    lab.simulator
        .faults()
        .add(Fault::new(Effect::NoStatuses).times(1));
    lab.send_camp(MEERA, "m-2").await;
    assert_eq!(lab.simulator.ledger().find("m-2").remove(0).fate, []);
}

#[tokio::test]
async fn the_status_can_come_before_the_answer() {
    let lab = Lab::with(|config| {
        let millis = Duration::from_millis;
        (config.timing.sent, config.timing.delivered) = (millis(100), millis(400));
    })
    .await;
    lab.simulator
        .faults()
        .add(Fault::new(Effect::StatusBeforeAnswer).times(1));
    lab.send_camp(MEERA, "m-1").await;
    assert_eq!(
        lab.statuses()[0]["status"],
        "sent",
        "there when the answer comes"
    );
    lab.send_camp(MEERA, "m-2").await;
    assert!(
        lab.statuses()
            .iter()
            .all(|status| status["biz_opaque_callback_data"] != "m-2")
    );
}

#[rstest]
#[case::skipped(Effect::SkipDelivered, &["sent", "read"])]
#[case::reordered(Effect::ReorderStatuses, &["read", "delivered", "sent"])]
#[case::duplicated(Effect::Duplicate { copies: 1 }, &["sent", "sent", "delivered", "delivered", "read", "read"])]
#[case::failed(Effect::Fail { code: 131_000, after_sent: false }, &["failed"])]
#[case::failed_after_sent(Effect::Fail { code: 131_026, after_sent: true }, &["sent", "failed"])]
#[case::delivered_after_failed(Effect::DeliveredAfterFailed { code: 131_000 }, &["failed", "delivered"])]
#[case::held(Effect::HoldForQuality, &["failed"])]
#[tokio::test]
async fn statuses_misbehave_as_ordered(#[case] effect: Effect, #[case] expected: &[&str]) {
    let lab = Lab::with(|config| {
        // One POST at a time, so that the order of arrival is the order of sending.
        config.webhooks.in_flight = 1;
    })
    .await;
    lab.simulator.faults().add(Fault::new(effect).times(1));
    lab.send_camp(MEERA, "m-1").await;
    assert_eq!(lab.status_names(expected.len()).await, expected);
    lab.send_camp(MEERA, "last").await;
    lab.status("last", "read").await;
    let all = lab
        .statuses()
        .into_iter()
        .filter(|status| status["biz_opaque_callback_data"] == "m-1");
    assert_eq!(all.count(), expected.len(), "nothing came after them");
}

#[tokio::test]
async fn silence_can_be_ordered() {
    let lab = Lab::open().await;
    lab.simulator
        .faults()
        .add(Fault::new(Effect::NoStatuses).times(1));
    lab.send_camp(MEERA, "silent").await;
    lab.send_camp(MEERA, "loud").await;
    lab.status("loud", "read").await;
    assert!(
        lab.statuses()
            .iter()
            .all(|status| status["biz_opaque_callback_data"] == "loud")
    );
    assert_eq!(lab.simulator.ledger().count("silent"), 1);
}

#[tokio::test]
async fn a_held_template_says_so_and_is_dropped() {
    let lab = Lab::open().await;
    lab.simulator
        .faults()
        .add(Fault::new(Effect::HoldForQuality));
    let (_, answer) = lab.send_camp(MEERA, "m-1").await;
    assert_eq!(
        answer["messages"][0]["message_status"],
        "held_for_quality_assessment"
    );
    assert_eq!(
        lab.status("m-1", "failed").await["errors"][0]["code"],
        132_015
    );
}

#[tokio::test]
async fn reordered_statuses_keep_their_true_times() {
    let lab = Lab::with(|config| config.timing.read = Duration::from_secs(1)).await;
    lab.simulator
        .faults()
        .add(Fault::new(Effect::ReorderStatuses));
    lab.simulator
        .faults()
        .add(Fault::new(Effect::MillisecondTimestamps));
    lab.send_camp(MEERA, "m-1").await;
    let read = lab.status("m-1", "read").await;
    assert_eq!(read["timestamp"], "1800000001000");
    assert_eq!(
        lab.status("m-1", "sent").await["timestamp"],
        "1800000000005"
    );
}

#[tokio::test]
async fn webhooks_wait_for_each_other_when_ordered() {
    let lab = Lab::open().await;
    lab.simulator
        .faults()
        .add(Fault::new(Effect::BatchWebhooks {
            size: 6,
            ms: 60_000,
        }));
    lab.send_camp(MEERA, "m-1").await;
    lab.send_camp(MEERA, "m-2").await;
    assert_eq!(lab.status_names(6).await.len(), 6);
    assert_eq!(lab.callback.requests().len(), 1, "all six in one POST");
}

#[tokio::test]
async fn ordered_errors_are_counted_down_and_kept_to_their_recipient() {
    let lab = Lab::open().await;
    lab.simulator
        .faults()
        .add(Fault::error(131_000).to(MEERA).times(2));
    let mut codes = Vec::new();
    for to in [MEERA, "+917000000001", MEERA, MEERA] {
        codes.push(code(&lab.send_camp(to, "").await));
    }
    assert_eq!(codes, [131_000, 0, 131_000, 0]);
    assert_eq!(lab.simulator.ledger().total(), 2);
}

#[tokio::test]
async fn management_calls_have_faults_of_their_own() {
    let lab = Lab::open().await;
    lab.simulator
        .faults()
        .add(Fault::error(80_007).on(Endpoint::Management));
    let refused = lab.get("/v25.0/200000000000001/message_templates").await;
    assert_eq!((refused.0, code(&refused)), (429, 80_007));
    assert_eq!(lab.send_camp(MEERA, "").await.0, 200);
}
