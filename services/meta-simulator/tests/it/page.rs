use serde_json::json;

use crate::lab::{ASHA, Lab, NUMBER};

#[tokio::test]
async fn the_page_and_its_parts_are_served_and_need_nothing_else() {
    let lab = Lab::open().await;
    for path in ["/", "/phone"] {
        let page = lab
            .http
            .get(format!("{}{path}", lab.simulator.base_url()))
            .send()
            .await
            .unwrap();
        assert!(
            page.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'self'")
        );
        let html = page.text().await.unwrap();
        let parts = html.split('"').filter(|part| part.starts_with("/phone/"));
        let mut served = 0;
        for part in parts {
            let answer = lab
                .http
                .get(format!("{}{part}", lab.simulator.base_url()))
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 200, "{part}");
            assert!(
                !answer.text().await.unwrap().contains("https://cdn"),
                "{part}"
            );
            served += 1;
        }
        assert_eq!(served, 2, "a style sheet and a script");
    }
}

#[tokio::test]
async fn opening_a_chat_reads_what_was_delivered() {
    let lab = Lab::open().await;
    lab.send_camp(ASHA, "m-1").await;
    lab.status("m-1", "delivered").await;
    let chat = format!("/_sim/conversations/{NUMBER}/919876543210");
    assert_eq!(lab.get(&chat).await.1["unread"], 1);
    assert_eq!(
        lab.post(&format!("{chat}/open"), &json!({})).await.1,
        json!({ "read": 1 })
    );
    let read = lab.status("m-1", "read").await;
    assert_eq!(read["recipient_id"], "919876543210");
    let (_, opened) = lab.get(&chat).await;
    assert_eq!(
        (&opened["unread"], &opened["messages"][0]["status"]),
        (&json!(0), &json!("read"))
    );
    assert_eq!(
        lab.post(&format!("{chat}/open"), &json!({})).await.1,
        json!({ "read": 0 })
    );
}

#[tokio::test]
async fn a_reply_from_the_page_opens_the_window() {
    let lab = Lab::open().await;
    lab.send_camp(ASHA, "m-1").await;
    let chat = format!("/_sim/conversations/{NUMBER}/919876543210");
    assert_eq!(lab.get(&chat).await.1["window_open"], false);
    let reply = json!({ "phone_number_id": NUMBER, "from": "919876543210", "type": "text", "body": "thanks" });
    lab.post("/_sim/inbound", &reply).await;
    let (_, answered) = lab.get(&chat).await;
    assert_eq!(
        (&answered["window_open"], &answered["messages"][1]["text"]),
        (&json!(true), &json!("thanks"))
    );
}

#[tokio::test]
async fn patients_are_those_described_and_those_written_to() {
    let lab = Lab::open().await;
    lab.send_camp("+917000000001", "m-1").await;
    let (_, patients) = lab.get("/_sim/patients").await;
    let phones: Vec<_> = patients["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["phone"].as_str().unwrap())
        .collect();
    assert_eq!(phones.len(), 6);
    assert!(phones.contains(&"+917000000001") && phones.contains(&"+91 98765 43210"));
}
