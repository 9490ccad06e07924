use std::{fs, path::Path};

use serde_json::json;

use crate::support::{App, PDF, merged, registration, report, text};

/// As text, and as bytes would show in a dump.
fn forms(secret: &str) -> [String; 2] {
    let hex = secret.bytes().map(|byte| format!("{byte:02x}"));
    [secret.to_owned(), hex.collect::<Vec<_>>().concat()]
}

async fn dump(app: &App) -> String {
    let tables = "select c.relname as name from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
                  where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition";
    let mut dump = String::new();
    for table in app.database.rows(tables).await {
        for row in app
            .database
            .rows(&format!("select * from {}", text(&table, "name")))
            .await
        {
            dump.push_str(&row.to_string());
        }
    }
    dump
}

fn all_files(folder: &Path, found: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, found);
        } else {
            found.extend(fs::read(path).unwrap());
        }
    }
}

#[tokio::test]
async fn nothing_of_the_patient_and_no_secret_is_at_rest_in_the_clear() {
    let app = App::start().await;
    let body = merged(
        registration("1001"),
        json!({ "callback": { "url": "https://lims.example/" } }),
    );
    let lab = app.lab_of(&body).await;
    let named = merged(report(), json!({ "report_filename": "asha-blood.pdf" }));
    let sent = app.report(&lab, &named).header("idempotency-key", "k-1");
    assert!(sent.send().await.unwrap().status().is_success());

    let dump = dump(&app).await;
    assert!(
        dump.contains("ABC Pathology Lab"),
        "the search finds what is there"
    );
    // Prefix, id, secret; the secret may have further underscores.
    let api_key = lab.key.splitn(3, '_').last().unwrap();
    assert!(api_key.len() > 40, "the secret is more than a part of it");
    let callback_secret = lab.callback_secret.unwrap();
    let secrets = [
        "Asha",
        "9876543210",
        "Complete Blood",
        "Dr. Smith",
        "4 August",
        "2019-08-04",
        "asha-blood",
        "EAAG-token",
        api_key,
        &callback_secret,
        callback_secret.trim_start_matches("whsec_"),
    ];
    for secret in secrets {
        for form in forms(secret) {
            assert!(!dump.contains(&form), "{secret} is in the database");
        }
    }
    let mut files = Vec::new();
    all_files(app.folder.path(), &mut files);
    assert!(files.len() > PDF.len());
    let readable = files
        .windows(9)
        .any(|window| PDF.windows(9).any(|part| part == window));
    assert!(!readable, "the report lies open in the file storage");
}

#[tokio::test]
async fn a_refusal_repeats_nothing_of_the_patient() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    for changes in [
        json!({ "patient_phone": "98765" }),
        json!({ "patient_phone": 98765 }),
        json!({ "report_date": "Asha was here" }),
        json!({ "language": "Asha" }),
        json!({ "message": "{{doctor_name}}", "doctor_name": null }),
        json!({ "report_file": "Asha!" }),
    ] {
        let refused = app
            .refused(&lab, &merged(report(), changes))
            .await
            .to_string();
        assert!(
            !refused.contains("Asha") && !refused.contains("98765"),
            "{refused}"
        );
    }
}
