//! What `sealed_records` does with each message, without the database that it has its keys from.

use std::hint::black_box;

use chrono::NaiveDate;
use domain::{Language, PhoneNumber, Region};
use sealed_records::ReportContent;
use secrecy::SecretString;
use uuid::Uuid;
use vault::{Context, DataKey, KeyRing};
use zeroize::Zeroizing;

const DIGITS: &str = "919876543210";
const PHONE: Context = Context::new(Uuid::from_u128(1), "messages.recipient");
const REPORT: Context = Context::new(Uuid::from_u128(1), "messages.content");

fn key() -> DataKey {
    let master_keys = SecretString::from(KeyRing::generate_spec());
    let index_key = SecretString::from(KeyRing::generate_index_key());
    let ring = KeyRing::parse(&master_keys, &index_key).expect("generated keys are well-formed");
    ring.new_data_key(PHONE.owner).0
}

fn report() -> ReportContent {
    ReportContent {
        patient_name: Some("Asha Rao".to_owned()),
        test_name: Some("Complete Blood Count".to_owned()),
        doctor_name: Some("Dr. Mehta".to_owned()),
        report_date: NaiveDate::from_ymd_opt(2026, 1, 1),
        text: "Dear Asha Rao,\n\nYour Complete Blood Count report from City Lab is ready and attached. \
               Please show it to your doctor.\n\nReply STOP to receive no more reports here."
            .to_owned(),
        language: Language::English,
    }
}

fn seal(key: &DataKey, report: &ReportContent) -> Vec<u8> {
    let plain =
        Zeroizing::new(serde_json::to_vec(report).expect("a report can be written as JSON"));
    key.seal(&REPORT, &plain)
}

pub fn seal_phone() -> impl FnMut() {
    let key = key();
    move || {
        black_box(key.seal(&PHONE, black_box(DIGITS.as_bytes())));
    }
}

pub fn open_phone() -> impl FnMut() {
    let key = key();
    let sealed = key.seal(&PHONE, DIGITS.as_bytes());
    move || {
        black_box(key.open(&PHONE, black_box(&sealed))).expect("it was sealed with this key");
    }
}

/// What follows on [`open_phone`]: the digits are read as a number again.
pub fn parse_phone() -> impl FnMut() {
    || {
        black_box(PhoneNumber::from_wa_id(black_box(DIGITS))).expect("the digits are a number");
    }
}

/// What the gateway does with what a LIMS wrote.
pub fn check_phone() -> impl FnMut() {
    PhoneNumber::warm();
    || {
        let number = PhoneNumber::parse(black_box("+91 98765 43210"), Region::default());
        black_box(number).expect("it is in the plan");
    }
}

/// With the JSON that is sealed.
pub fn seal_report() -> impl FnMut() {
    let key = key();
    let report = report();
    move || {
        black_box(seal(&key, black_box(&report)));
    }
}

/// With the reading of the JSON.
pub fn open_report() -> impl FnMut() {
    let key = key();
    let sealed = seal(&key, &report());
    move || {
        let plain = key
            .open(&REPORT, black_box(&sealed))
            .expect("it was sealed with this key");
        let report: ReportContent =
            serde_json::from_slice(&plain).expect("a report was written there");
        black_box(report);
    }
}
