//! The rules of `domain`, and the meaning of Meta's errors.

use std::{hint::black_box, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    Delivery, Language, Rate, ReportVariables, ReportedStatus, StatusReport, TokenBucket,
    text::{default_message, render},
};
use providers::meta::{GraphError, classify, classify_status_error, webhook::StatusError};

/// The message of a lab that has not written its own.
pub fn render_text() -> impl FnMut() {
    let variables = ReportVariables {
        patient_name: Some("Asha Rao".to_owned()),
        test_name: Some("Complete Blood Count".to_owned()),
        doctor_name: Some("Dr. Mehta".to_owned()),
        report_date: NaiveDate::from_ymd_opt(2026, 1, 1),
        lab_name: Some("City Lab".to_owned()),
    };
    move || {
        let template = black_box(default_message(Language::English));
        black_box(render(template, &variables, Language::English))
            .expect("every placeholder has a value");
    }
}

/// Sent, delivered and read, in each of their six orders.
pub fn fold_statuses() -> impl FnMut() {
    let [sent, delivered, read] = reports();
    let orders = [
        [&sent, &delivered, &read],
        [&sent, &read, &delivered],
        [&delivered, &sent, &read],
        [&delivered, &read, &sent],
        [&read, &sent, &delivered],
        [&read, &delivered, &sent],
    ]
    .map(|order| order.map(StatusReport::clone));
    move || {
        for order in black_box(&orders) {
            black_box(order.iter().fold(Delivery::queued(), Delivery::apply));
        }
    }
}

/// What is stored, and what a batch of webhooks adds to it.
pub fn merge_deliveries() -> impl FnMut() {
    let [sent, delivered, read] = reports();
    let stored = Delivery::queued().apply(&sent);
    let learned = Delivery::queued().apply(&delivered).apply(&read);
    move || {
        black_box(black_box(stored.clone()).merge(black_box(learned.clone())));
    }
}

fn reports() -> [StatusReport; 3] {
    let at = |seconds: i64| {
        DateTime::<Utc>::from_timestamp(1_767_225_600 + seconds, 0).unwrap_or_default()
    };
    [
        (ReportedStatus::Sent, at(0)),
        (ReportedStatus::Delivered, at(2)),
        (ReportedStatus::Read, at(60)),
    ]
    .map(|(status, at)| StatusReport {
        status,
        at,
        cause: None,
    })
}

/// A look at a number's bucket, a permit out of it, and that permit put back.
pub fn take_a_permit() -> impl FnMut() {
    let rate = Rate::new(80.0, 80).expect("it lets something pass");
    let mut now = Duration::ZERO;
    let mut bucket = TokenBucket::full(rate, now);
    move || {
        now += Duration::from_millis(1);
        black_box(bucket.available(black_box(now), 0));
        bucket.take(1);
        bucket.put_back(1);
        black_box(&bucket);
    }
}

/// An error from each end of the table, two that its words decide, and one that is not in it.
pub fn classify_answers() -> impl FnMut() {
    let errors = [
        (190, "Error validating access token: Session has expired"),
        (130_429, "Cloud API message throughput has been reached"),
        (100, "The phone number is not registered."),
        (131_053, "Downloading media failed with http code 503"),
        (999_999, "Something new"),
    ]
    .map(|(code, words)| GraphError {
        code,
        message: Some(words.to_owned()),
        ..GraphError::default()
    });
    move || {
        for error in black_box(&errors) {
            black_box(classify(error, 400));
        }
    }
}

/// The same of errors in webhooks.
pub fn classify_statuses() -> impl FnMut() {
    let errors = [
        (131_026, "Message undeliverable"),
        (131_047, "Re-engagement message"),
        (
            131_049,
            "This message was not delivered to maintain healthy ecosystem engagement.",
        ),
        (131_053, "Media upload error: http code 500"),
        (999_999, "Something new"),
    ]
    .map(|(code, title)| StatusError {
        code,
        title: Some(title.to_owned()),
        message: Some(title.to_owned()),
        details: None,
    });
    move || {
        for error in black_box(&errors) {
            black_box(classify_status_error(error));
        }
    }
}
