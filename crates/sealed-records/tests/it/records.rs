use chrono::NaiveDate;
use domain::{Language, PhoneNumber};
use sealed_records::{InboundContent, PlatformRecords, ReportContent, TenantRecords};
use secrecy::ExposeSecret;

use crate::stage::stage;

fn report() -> ReportContent {
    ReportContent {
        patient_name: Some("Asha".to_owned()),
        test_name: Some("CBC".to_owned()),
        doctor_name: None,
        report_date: NaiveDate::from_ymd_opt(2026, 1, 31),
        text: "Dear Asha, your report is ready".to_owned(),
        language: Language::Hindi,
    }
}

fn inbound() -> InboundContent {
    InboundContent {
        from: Some("919876543210".to_owned()),
        from_user_id: None,
        profile_name: Some("Asha".to_owned()),
        text: Some("thank you".to_owned()),
        raw: serde_json::json!({ "type": "text" }),
    }
}

fn phone() -> PhoneNumber {
    PhoneNumber::from_wa_id("919876543210").unwrap()
}

/// Every column of a tenant: what sealed it, and whether it opens to what it was.
fn columns(records: &TenantRecords) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("recipient", records.seal_recipient(&phone())),
        ("report", records.seal_report(&report()).unwrap()),
        ("inbound", records.seal_inbound(&inbound()).unwrap()),
        ("filename", records.seal_filename("report.pdf")),
        ("token", records.seal_access_token("a token")),
        ("secret", records.seal_callback_secret("a secret")),
    ]
}

fn opens(records: &TenantRecords, column: &str, sealed: &[u8]) -> bool {
    match column {
        "recipient" => records.open_recipient(sealed).is_ok_and(|it| it == phone()),
        "report" => records.open_report(sealed).is_ok_and(|it| it == report()),
        "inbound" => records.open_inbound(sealed).is_ok_and(|it| it == inbound()),
        "filename" => records
            .open_filename(sealed)
            .is_ok_and(|it| it == "report.pdf"),
        "token" => records
            .open_access_token(sealed)
            .is_ok_and(|it| it.expose_secret() == "a token"),
        _ => records
            .open_callback_secret(sealed)
            .is_ok_and(|it| it.expose_secret() == "a secret"),
    }
}

#[tokio::test]
async fn each_column_of_a_tenant_opens_to_what_was_sealed_and_nowhere_else() {
    let stage = stage().await;
    let (_, records) = stage.tenant().await;
    let (_, other) = stage.tenant().await;
    let sealed = columns(&records);
    for (from, bytes) in &sealed {
        for (column, _) in &sealed {
            assert_eq!(
                opens(&records, column, bytes),
                from == column,
                "{from} as {column}"
            );
        }
        assert!(!opens(&other, from, bytes), "{from} of another tenant");
        let mut bent = bytes.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert!(!opens(&records, from, &bent), "{from} bent");
        for plain in [
            "Asha",
            "9876543210",
            "report.pdf",
            "a token",
            "a secret",
            "thank you",
        ] {
            assert!(
                !bytes
                    .windows(plain.len())
                    .any(|part| part == plain.as_bytes()),
                "{from}"
            );
        }
    }
}

#[tokio::test]
async fn each_column_of_the_platform_opens_to_what_was_sealed_and_nowhere_else() {
    let stage = stage().await;
    let records = stage.platform().await;
    let sealed = [
        ("body", records.seal_event_body(b"the body")),
        ("secret", records.seal_app_secret("the body")),
        ("token", records.seal_verify_token("the body")),
    ];
    let opens = |records: &PlatformRecords, column: &str, sealed: &[u8]| match column {
        "body" => records
            .open_event_body(sealed)
            .is_ok_and(|it| &**it == b"the body"),
        "secret" => records
            .open_app_secret(sealed)
            .is_ok_and(|it| it.expose_secret() == "the body"),
        _ => records
            .open_verify_token(sealed)
            .is_ok_and(|it| it.expose_secret() == "the body"),
    };
    for (from, bytes) in &sealed {
        for (column, _) in &sealed {
            assert_eq!(
                opens(&records, column, bytes),
                from == column,
                "{from} as {column}"
            );
        }
    }
}

#[tokio::test]
async fn a_contact_is_found_again_by_its_own_tenant_only() {
    let stage = stage().await;
    let (tenant, records) = stage.tenant().await;
    let (_, other) = stage.tenant().await;
    let hash = records.contact_hash("+919876543210");
    assert_eq!(records.contact_hash("919876543210"), hash);
    assert_ne!(records.contact_hash("919876543211"), hash);
    assert_ne!(other.contact_hash("919876543210"), hash);
    let elsewhere = stage
        .keys(&stage.test.worker_url)
        .tenant(tenant)
        .await
        .unwrap();
    assert_eq!(elsewhere.contact_hash("919876543210"), hash);
}

#[tokio::test]
async fn nothing_of_a_patient_shows_in_debug_output() {
    let stage = stage().await;
    let (_, records) = stage.tenant().await;
    let shown = format!(
        "{:?} {:?} {records:?} {:?} {:?}",
        report(),
        inbound(),
        stage.platform().await,
        stage.keys(&stage.test.worker_url)
    );
    for secret in ["Asha", "CBC", "9876543210", "thank you", "2026-01-31"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("Hindi"), "{shown}");
}

#[test]
fn a_reports_variables_name_the_lab() {
    let variables = report().variables("City Lab");
    assert_eq!(variables.lab_name.as_deref(), Some("City Lab"));
    assert_eq!(variables.patient_name.as_deref(), Some("Asha"));
}
