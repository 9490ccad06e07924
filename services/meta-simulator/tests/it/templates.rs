use meta_simulator::{Seed, Template};
use rstest::rstest;
use serde_json::{Value, json};
use testkit::eventually;

use crate::lab::{Lab, MEERA, WABA, code};

fn path() -> String {
    format!("/v25.0/{WABA}/message_templates")
}

fn definition(body: &str) -> Value {
    json!({ "name": "new_report", "language": "en_US", "category": "UTILITY",
            "components": [{ "type": "BODY", "text": body }] })
}

#[tokio::test]
async fn a_new_template_is_pending_and_then_approved() {
    let lab = Lab::open().await;
    let (status, created) = lab
        .post(&path(), &definition("Your report is ready for you."))
        .await;
    assert_eq!(
        (status, &created["status"], &created["category"]),
        (200, &json!("PENDING"), &json!("UTILITY"))
    );
    let update = eventually(std::time::Duration::from_secs(10), async || {
        lab.values().first().cloned()
    })
    .await;
    assert_eq!(
        (&update["event"], &update["message_template_name"]),
        (&json!("APPROVED"), &json!("new_report"))
    );
    assert_eq!(
        update["message_template_id"].to_string(),
        created["id"].as_str().unwrap()
    );
    let message = json!({ "to": MEERA, "type": "template",
                          "template": { "name": "new_report", "language": { "code": "en_US" } } });
    assert_eq!(lab.send(message).await.0, 200);
}

#[rstest]
#[case::capitals(json!({ "name": "New" }), 100)]
#[case::category(json!({ "category": "URGENT" }), 100)]
#[case::no_components(json!({ "components": [] }), 131_009)]
#[case::no_body(json!({ "components": [{ "type": "FOOTER", "text": "x" }] }), 131_008)]
#[case::long_body(json!({ "components": [{ "type": "BODY", "text": "x".repeat(1025) }] }), 100)]
#[case::long_footer(json!({ "components": [{ "type": "BODY", "text": "x" }, { "type": "FOOTER", "text": "x".repeat(61) }] }), 100)]
#[tokio::test]
async fn a_malformed_template_is_refused(#[case] change: Value, #[case] expected: u64) {
    let lab = Lab::open().await;
    let mut body = definition("Your report is ready.");
    for (key, value) in change.as_object().unwrap() {
        body[key] = value.clone();
    }
    assert_eq!(code(&lab.post(&path(), &body).await), expected);
}

#[rstest]
#[case::at_the_start("{{1}}, your report is ready now", 2_388_299)]
#[case::at_the_end("Your report is ready, dear {{1}}", 2_388_299)]
#[case::side_by_side("Dear {{1}}{{2}}, your report is ready now", 2_388_073)]
#[case::too_many("On {{1}} at {{2}} or {{3}} now", 2_388_293)]
#[tokio::test]
async fn variables_must_be_well_placed(#[case] body: &str, #[case] subcode: u64) {
    let lab = Lab::open().await;
    let (status, answer) = lab.post(&path(), &definition(body)).await;
    assert_eq!(
        (status, answer["error"]["error_subcode"].as_u64()),
        (400, Some(subcode)),
        "{answer}"
    );
    assert!(answer["error"]["error_user_title"].is_string());
}

#[tokio::test]
async fn the_same_name_and_language_is_refused() {
    let lab = Lab::open().await;
    lab.post(&path(), &definition("Your report is ready."))
        .await;
    let (_, answer) = lab.post(&path(), &definition("Another text for it.")).await;
    assert_eq!(answer["error"]["error_subcode"], 2_388_024);
}

#[tokio::test]
async fn the_list_is_paged_and_filtered() {
    let lab = Lab::open().await;
    lab.simulator.add_template(Template::new(
        "200000000000002",
        "of_another",
        "en",
        Vec::new(),
    ));
    lab.simulator
        .add_template(Template::new("1", "of_another", "en", Vec::new()));
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let (_, page) = lab
            .get(&format!(
                "{}?fields=name,language&limit=3&after={after}",
                path()
            ))
            .await;
        for template in page["data"].as_array().unwrap() {
            assert_eq!(
                template.as_object().unwrap().len(),
                3,
                "the fields asked for, and the id"
            );
            names.push(format!(
                "{}/{}",
                template["name"].as_str().unwrap(),
                template["language"].as_str().unwrap()
            ));
        }
        if page["paging"]["next"].is_null() {
            break;
        }
        page["paging"]["cursors"]["after"]
            .as_str()
            .unwrap()
            .clone_into(&mut after);
    }
    assert_eq!(
        names,
        [
            "appointment_reminder/en_US",
            "health_camp/en_US",
            "report_ready/en_US",
            "report_ready/hi"
        ]
    );
    assert_eq!(names.len(), Seed::sample().templates.len());
    let (_, hindi) = lab
        .get(&format!("{}?name=report_ready&language=hi", path()))
        .await;
    assert_eq!(hindi["data"].as_array().unwrap().len(), 1);
    assert_eq!(hindi["data"][0]["parameter_format"], "NAMED");
}

#[tokio::test]
async fn a_template_is_read_edited_paused_and_deleted() {
    let lab = Lab::open().await;
    let (_, created) = lab
        .post(&path(), &definition("Your report is ready."))
        .await;
    let id = created["id"].as_str().unwrap().to_owned();
    let node = format!("/v25.0/{id}");
    let status = async || lab.get(&format!("{node}?fields=status")).await.1["status"].clone();
    let approved = async || {
        if status().await == "APPROVED" {
            Ok(())
        } else {
            Err("pending")
        }
    };
    eventually(std::time::Duration::from_secs(10), approved).await;

    let components =
        json!({ "components": [{ "type": "BODY", "text": "Your results are ready." }] });
    assert_eq!(lab.post(&node, &components).await.0, 200);
    assert_eq!(
        lab.get(&node).await.1["components"][0]["text"],
        "Your results are ready."
    );
    eventually(std::time::Duration::from_secs(10), approved).await;

    assert!(lab.simulator.set_template_status(&id, "PAUSED", None));
    assert_eq!(
        lab.post(&format!("{node}/unpause"), &json!({})).await.0,
        200
    );
    assert_eq!(status().await, "APPROVED");

    assert_eq!(
        lab.delete(&format!("{}?name=new_report", path())).await.0,
        200
    );
    assert_eq!(code(&lab.get(&node).await), 100);
    assert_eq!(
        code(&lab.delete(&format!("{}?name=new_report", path())).await),
        100
    );
}

#[tokio::test]
async fn an_example_file_is_uploaded_in_parts() {
    let lab = Lab::open().await;
    let open = format!(
        "/v25.0/{}/uploads?file_name=a.pdf&file_length=6&file_type=application/pdf",
        crate::lab::APP
    );
    let session = lab.post(&open, &json!({})).await.1["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let part = async |offset: &str, bytes: &'static str| {
        let request = lab.request(reqwest::Method::POST, &format!("/v25.0/{session}"));
        crate::lab::answer(request.header("file_offset", offset).body(bytes)).await
    };
    part("0", "abc").await;
    assert_eq!(
        lab.get(&format!("/v25.0/{session}")).await.1["file_offset"],
        3
    );
    assert_eq!(code(&part("0", "def").await), 100);
    assert!(part("3", "def").await.1["h"].is_string());
}
