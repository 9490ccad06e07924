use std::time::Duration;

use meta_simulator::{Business, Config, NumberState};
use rstest::rstest;
use serde_json::json;

use crate::lab::{APP, Lab, MEERA, NUMBER, TOKEN, WABA, code, text};

fn patient(index: usize) -> String {
    format!("+9170000{index:05}")
}

#[tokio::test]
async fn a_number_that_is_too_fast_is_throttled_until_time_passes() {
    let lab = Lab::open().await;
    assert!(lab.simulator.set_throughput(NUMBER, 5));
    let mut codes = Vec::new();
    for index in 0..7 {
        codes.push(code(&lab.send(text(&patient(index), "")).await));
    }
    assert_eq!(codes, [0, 0, 0, 0, 0, 130_429, 130_429]);
    lab.simulator.clock().advance(Duration::from_millis(400));
    let mut codes = Vec::new();
    for index in 10..13 {
        codes.push(code(&lab.send(text(&patient(index), "")).await));
    }
    assert_eq!(codes, [0, 0, 130_429]);
    assert_eq!(lab.simulator.ledger().total(), 7);
}

#[tokio::test]
async fn one_user_can_be_written_to_in_a_burst_that_is_paid_back() {
    let lab = Lab::with(|config: &mut Config| config.limits.pair_burst = 3).await;
    for _ in 0..3 {
        assert_eq!(lab.send(text(MEERA, "")).await.0, 200);
    }
    let refused = lab.send(text(MEERA, "")).await;
    assert_eq!((refused.0, code(&refused)), (429, 131_056));
    assert_eq!(
        lab.send(text(&patient(1), "")).await.0,
        200,
        "another user is not affected"
    );
    lab.simulator.clock().advance(Duration::from_secs(17));
    assert_eq!(code(&lab.send(text(MEERA, "")).await), 131_056);
    lab.simulator.clock().advance(Duration::from_secs(1));
    assert_eq!(lab.send(text(MEERA, "")).await.0, 200);
}

#[tokio::test]
async fn the_messaging_limit_counts_users_outside_their_window() {
    let lab = Lab::open().await;
    lab.simulator.add_business(Business {
        messaging_limit: Some(2),
        ..Business::new(WABA, APP)
    });
    assert_eq!(lab.send_camp(&patient(1), "").await.0, 200);
    assert_eq!(lab.send_camp(&patient(2), "").await.0, 200);
    assert_eq!(lab.send_camp(&patient(1), "").await.0, 200);
    assert_eq!(code(&lab.send_camp(&patient(3), "").await), 131_048);
    lab.write_in(&patient(3));
    assert_eq!(lab.send_camp(&patient(3), "").await.0, 200);
}

#[rstest]
#[case(NumberState::Unregistered, 133_010, 400)]
#[case(NumberState::Locked, 131_031, 403)]
#[case(NumberState::PaymentProblem, 131_042, 400)]
#[case(NumberState::Maintenance, 131_057, 500)]
#[case(NumberState::Restricted, 368, 403)]
#[tokio::test]
async fn a_number_that_is_not_well_refuses(
    #[case] state: NumberState,
    #[case] expected: u64,
    #[case] status: u16,
) {
    let lab = Lab::open().await;
    assert!(lab.simulator.set_number_state(NUMBER, state));
    let answer = lab.send(text(MEERA, "")).await;
    assert_eq!((answer.0, code(&answer)), (status, expected));
    lab.simulator
        .set_number_state(NUMBER, NumberState::Connected);
    assert_eq!(lab.send(text(MEERA, "")).await.0, 200);
}

#[tokio::test]
async fn every_answer_reports_the_use_of_the_api() {
    let lab = Lab::open().await;
    let path = format!("/v25.0/{NUMBER}/messages");
    let response = lab
        .request(reqwest::Method::POST, &path)
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("facebook-api-version"), "v25.0");
    assert!(header("x-app-usage").contains("call_count"));
    assert!(header("x-business-use-case-usage").contains(WABA));
    assert!(!header("x-fb-trace-id").contains(TOKEN));
}
