use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use storage::{callbacks::list_endpoints, credentials::list_credentials};

use crate::support::{App, merged, problem, registration, report};

#[tokio::test]
async fn a_lab_is_made_with_everything_that_it_sends_with() {
    let app = App::start().await;
    let body = merged(
        registration("1001"),
        json!({ "region": "in", "language": "hi", "unconfirmed_policy": "resend",
                "callback": { "url": "https://lims.example/hook" } }),
    );
    let lab = app.lab_of(&body).await;

    let tenants = app.database.rows("select * from tenants").await;
    assert_eq!(tenants[0]["name"], "ABC Pathology Lab");
    assert_eq!(
        (&tenants[0]["region"], &tenants[0]["language"]),
        (&json!("IN"), &json!("hi"))
    );
    assert_eq!(tenants[0]["unconfirmed_policy"], "resend");
    let numbers = app.database.rows("select * from sender_numbers").await;
    assert_eq!(numbers[0]["phone_number_id"], "1001");
    assert_eq!(numbers[0]["display_phone_number"], "+919812345678");
    assert_eq!(numbers[0]["rate_per_second"], 80.0);
    assert_eq!(app.count("templates").await, 3);

    let records = app.records(&lab).await;
    let number = numbers[0]["id"].as_str().unwrap().parse().unwrap();
    let number = domain::SenderNumberId::from_uuid(number);
    let mut connection = app.worker.acquire().await.unwrap();
    let sealed = list_credentials(&mut connection, &[number]).await.unwrap();
    let token = records.open_access_token(&sealed[&number].access_token);
    assert_eq!(token.unwrap().expose_secret(), "EAAG-token-of-1001-wxyz");
    let endpoints = list_endpoints(&mut connection, &[lab.tenant()]).await;
    let secret = records.open_callback_secret(&endpoints.unwrap()[0].secret);
    assert_eq!(
        secret.unwrap().expose_secret(),
        lab.callback_secret.unwrap()
    );
}

#[tokio::test]
async fn a_lab_needs_no_more_than_its_name_address_and_number() {
    let app = App::start().await;
    let lab = app
        .lab_of(&json!({
            "lab_name": "ABC", "contact_email": "a@b.example", "whatsapp_number": "011 2345 6789",
        }))
        .await;
    assert_eq!(lab.callback_secret, None);
    let sent = app.send(&lab, &report()).await;
    assert_eq!(sent.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_number_that_another_lab_has_is_a_conflict_and_nothing_is_left() {
    let app = App::start().await;
    app.lab("1001").await;
    let again = app.register(&registration("1001")).await;
    assert_eq!(again.status(), StatusCode::CONFLICT);
    insta::assert_json_snapshot!("phone_number_taken", problem(again).await);
    for table in ["tenants", "data_keys", "sender_numbers", "credentials"] {
        assert_eq!(app.count(table).await, 1, "{table}");
    }
    assert_eq!(app.count("api_keys").await, 2);
}

/// Changes to a registration that it is refused for, and where.
fn faults() -> Vec<(Value, &'static str)> {
    let sender =
        |changes| json!({ "sender": merged(registration("1001")["sender"].clone(), changes) });
    let template = |changes| {
        let whole = json!({ "name": "t", "language": "en" });
        json!({ "templates": [merged(whole, changes)] })
    };
    vec![
        (json!({ "lab_name": " " }), "/lab_name"),
        (json!({ "lab_name": null }), "/lab_name"),
        (json!({ "lab_name": 7 }), "/lab_name"),
        (json!({ "contact_email": "nobody" }), "/contact_email"),
        (json!({ "whatsapp_number": "call me" }), "/whatsapp_number"),
        (json!({ "whatsapp_number": "+9112" }), "/whatsapp_number"),
        (json!({ "region": "Atlantis" }), "/region"),
        (json!({ "language": "fr" }), "/language"),
        (
            json!({ "unconfirmed_policy": "hope" }),
            "/unconfirmed_policy",
        ),
        (
            sender(json!({ "phone_number_id": "12 34" })),
            "/sender/phone_number_id",
        ),
        (sender(json!({ "waba_id": "" })), "/sender/waba_id"),
        (
            sender(json!({ "access_token": "" })),
            "/sender/access_token",
        ),
        (
            sender(json!({ "access_token": null })),
            "/sender/access_token",
        ),
        (
            sender(json!({ "rate_per_second": 0 })),
            "/sender/rate_per_second",
        ),
        (
            sender(json!({ "rate_per_second": 1001 })),
            "/sender/rate_per_second",
        ),
        (sender(json!({ "burst": 0 })), "/sender/burst"),
        (template(json!({ "name": "Report" })), "/templates/0/name"),
        (
            template(json!({ "language": "xx" })),
            "/templates/0/language",
        ),
        (
            template(json!({ "header": "video" })),
            "/templates/0/header",
        ),
        (
            template(json!({ "parameters": ["test_name", "shoe_size"] })),
            "/templates/0/parameters/1",
        ),
        (
            json!({ "callback": { "url": "http://lims.example/" } }),
            "/callback/url",
        ),
        (
            json!({ "callback": { "url": "https://10.0.0.1/" } }),
            "/callback/url",
        ),
        (
            json!({ "callback": { "url": "https://localhost/" } }),
            "/callback/url",
        ),
    ]
}

#[tokio::test]
async fn every_field_that_cannot_be_taken_is_named() {
    let app = App::start().await;
    let mut told = Vec::new();
    for (changes, pointer) in faults() {
        let answer = app.register(&merged(registration("1001"), changes)).await;
        assert_eq!(
            answer.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{pointer}"
        );
        let problem = problem(answer).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        told.push(problem["errors"][0].clone());
    }
    insta::assert_json_snapshot!("registration_faults", told);
    assert_eq!(app.count("tenants").await, 0);
}

#[tokio::test]
async fn a_faulty_number_has_a_code_of_its_own() {
    let app = App::start().await;
    let body = merged(registration("1001"), json!({ "whatsapp_number": "12" }));
    insta::assert_json_snapshot!(
        "registration_phone_number",
        problem(app.register(&body).await).await
    );
}
