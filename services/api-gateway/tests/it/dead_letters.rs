use domain::{Clock as _, ErrorClass, FailureCause, GivenUp, MessageId, SystemClock};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, Lab, body_of, merged, problem, registration, report, text};

const REASON: &str = "given up: again and again its sender was lost while preparing it";

/// A message whose send was given up, and the id of its dead letter.
async fn given_up(app: &App, lab: &Lab) -> (MessageId, String) {
    let id = app.accepted(lab, &report()).await;
    let at = SystemClock.now();
    app.update(id, |row| {
        row.attempts = 5;
        row.delivery.given_up = Some(GivenUp {
            at,
            cause: FailureCause {
                code: None,
                class: ErrorClass::Permanent,
                detail: REASON.to_owned(),
            },
        });
    })
    .await;
    let letter = bury(app, id.as_uuid(), REASON).await;
    (id, letter)
}

/// A callback that was given up, and the id of its dead letter.
async fn given_up_callback(app: &App, lab: &Lab, about: MessageId) -> String {
    let insert = format!(
        "with delivery as (
             insert into callback_deliveries (id, tenant_id, endpoint_id, message_id, payload, attempts, last_status, last_error, created_at)
             select '{id}', '{tenant}', e.id, '{about}', '{{}}', 12, 503, 'the endpoint answered 503', now()
             from callback_endpoints as e where e.tenant_id = '{tenant}' returning *)
         insert into work (id, kind, flow, partition, lane, subject, tenant_id, state, due_at, attempt, created_at)
         select '{work}', 'callback', endpoint_id, 0, 1, id, tenant_id, 'waiting', now(), 12, now() from delivery",
        id = Uuid::now_v7(),
        work = Uuid::now_v7(),
        tenant = lab.tenant().as_uuid(),
        about = about.as_uuid(),
    );
    app.database.execute(&insert).await;
    let rows = app
        .database
        .rows("select subject from work where kind = 'callback'")
        .await;
    let subject = text(&rows[0], "subject").parse().unwrap();
    bury(
        app,
        subject,
        "given up after 12 attempts: the endpoint answered 503",
    )
    .await
}

async fn bury(app: &App, subject: Uuid, reason: &str) -> String {
    let bury = format!(
        "with gone as (delete from work where subject = '{subject}' returning *)
         insert into dead_letters (id, kind, flow, lane, subject, tenant_id, pair, attempt, reason, traceparent, created_at, died_at)
         select id, kind, flow, lane, subject, tenant_id, pair, attempt, '{reason}', traceparent, created_at, now() from gone"
    );
    app.database.execute(&bury).await;
    let find = format!("select id from dead_letters where subject = '{subject}'");
    let id: Uuid = text(&app.database.rows(&find).await[0], "id")
        .parse()
        .unwrap();
    format!("wrk_{}", id.simple())
}

async fn lab_with_callback(app: &App, number: &str) -> Lab {
    let callback = json!({ "callback": { "url": "https://lims.example/" } });
    app.lab_of(&merged(registration(number), callback)).await
}

fn path(lab: &Lab, rest: &str) -> String {
    format!("/api/labs/{}/dead-letters{rest}", lab.id)
}

async fn get(app: &App, lab: &Lab, rest: &str) -> Value {
    let answer = app.get(&lab.key, &path(lab, rest)).send().await.unwrap();
    body_of(answer, StatusCode::OK).await
}

async fn post(app: &App, lab: &Lab, rest: &str, body: &Value) -> Response {
    let request = app.post(&lab.key, &path(lab, rest)).json(body);
    request.send().await.unwrap()
}

async fn delete(app: &App, lab: &Lab, rest: &str) -> Response {
    let request = app.client.delete(app.url(&path(lab, rest)));
    request.bearer_auth(&lab.key).send().await.unwrap()
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| text(item, "id")).collect()
}

#[tokio::test]
async fn dead_letters_are_listed_in_pages_by_kind_the_latest_first() {
    let app = App::start().await;
    let lab = lab_with_callback(&app, "1001").await;
    let (message, first) = given_up(&app, &lab).await;
    let second = given_up_callback(&app, &lab, message).await;
    let (_, third) = given_up(&app, &lab).await;

    let page = get(&app, &lab, "?limit=2").await;
    assert_eq!(ids(&page), [&*third, &*second]);
    let cursor = text(&page, "next_cursor");
    let page = get(&app, &lab, &format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(ids(&page), [&*first]);
    assert_eq!(page["next_cursor"], Value::Null);
    assert_eq!(ids(&get(&app, &lab, "?kind=send").await), [third, first]);
    let mut callbacks = get(&app, &lab, "?kind=callback").await;
    assert_eq!(callbacks["items"][0]["message_id"], message.to_string());
    for changing in ["id", "message_id", "created_at", "died_at"] {
        callbacks["items"][0][changing] = json!("..");
    }
    insta::assert_json_snapshot!("dead_letters", callbacks);
}

#[tokio::test]
async fn a_dead_letter_tells_what_is_known_and_nothing_of_the_patient() {
    let app = App::start().await;
    let lab = lab_with_callback(&app, "1001").await;
    let (message, of_send) = given_up(&app, &lab).await;
    let of_callback = given_up_callback(&app, &lab, message).await;
    let mut shown = Vec::new();
    for id in [of_send, of_callback] {
        let mut letter = get(&app, &lab, &format!("/{id}")).await;
        assert_eq!(text(&letter, "id"), id);
        for changing in ["id", "message_id", "created_at", "died_at"] {
            letter[changing] = json!("..");
        }
        if let Some(timeline) = letter.get_mut("timeline") {
            timeline[0]["at"] = json!("..");
            timeline[0]["detail"]["traceparent"] = json!("..");
        }
        let told = letter.to_string();
        for private in ["Asha", "98765", "wamid", "Blood"] {
            assert!(!told.contains(private), "{told}");
        }
        shown.push(letter);
    }
    insta::assert_json_snapshot!("dead_letter", shown);
}

#[tokio::test]
async fn a_dead_letter_is_replayed() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let (message, id) = given_up(&app, &lab).await;
    let status = format!("/api/messages/{message}/status");
    let failed = app.get(&lab.key, &status).send().await.unwrap();
    let failed = body_of(failed, StatusCode::OK).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["message"]),
        (&json!("failed"), &json!(REASON))
    );
    assert!(failed["failed_at"].is_string());

    let answer = post(&app, &lab, &format!("/{id}/replay"), &json!({})).await;
    let answer = body_of(answer, StatusCode::OK).await;
    assert_eq!(answer, json!({ "replayed": 1, "settled": 0 }));
    let queued = app.get(&lab.key, &status).send().await.unwrap();
    let queued = body_of(queued, StatusCode::OK).await;
    assert_eq!(
        (&queued["status"], &queued["failed_at"]),
        (&json!("queued"), &Value::Null)
    );
    assert!(queued.get("error").is_none());
    assert_eq!(queued["timeline"][1]["detail"]["decision"], "replayed");
    assert_eq!(app.count("work").await, 1);
    let again = post(&app, &lab, &format!("/{id}/replay"), &json!({})).await;
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_replay_of_what_was_delivered_meanwhile_only_takes_the_letter_away() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let (message, id) = given_up(&app, &lab).await;
    let at = SystemClock.now();
    app.update(message, |row| row.delivery.delivered_at = Some(at))
        .await;
    let answer = post(&app, &lab, &format!("/{id}/replay"), &json!({})).await;
    let answer = body_of(answer, StatusCode::OK).await;
    assert_eq!(answer, json!({ "replayed": 0, "settled": 1 }));
    assert_eq!(app.count("work").await, 0);
    assert_eq!(app.count("dead_letters").await, 0);
}

#[tokio::test]
async fn dead_letters_are_replayed_by_a_filter() {
    let app = App::start().await;
    let lab = lab_with_callback(&app, "1001").await;
    let other = app.lab("1002").await;
    let (message, _) = given_up(&app, &lab).await;
    given_up_callback(&app, &lab, message).await;
    given_up(&app, &other).await;
    for (filter, replayed) in [
        (json!({ "kind": "callback", "reason": "answered 410" }), 0),
        (json!({ "died_before": "2019-08-04T09:30:00Z" }), 0),
        (json!({ "kind": "callback", "reason": "ANSWERED" }), 1),
        (json!({ "died_after": "2019-08-04T09:30:00Z" }), 1),
    ] {
        let answer = post(&app, &lab, "/replay", &filter).await;
        let answer = body_of(answer, StatusCode::OK).await;
        let expected = json!({ "replayed": replayed, "settled": 0, "has_more": false });
        assert_eq!(answer, expected, "{filter}");
    }
    assert_eq!(app.count("dead_letters").await, 1);
}

#[tokio::test]
async fn a_dead_letter_is_discarded_with_a_reason() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let (message, id) = given_up(&app, &lab).await;
    let answer = delete(&app, &lab, &format!("/{id}?reason=told+by+phone")).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(app.count("dead_letters").await, 0);
    let decided = &app.database.rows("select * from decisions").await[0];
    assert_eq!(decided["decision"], "discarded");
    assert_eq!(decided["reason"], "told by phone");
    assert!(text(decided, "decided_by").starts_with("key_"));
    let status = app.get(&lab.key, &format!("/api/messages/{message}/status"));
    let status = body_of(status.send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(status["status"], "failed");
    assert_eq!(status["timeline"][1]["detail"]["reason"], "told by phone");
    let again = delete(&app, &lab, &format!("/{id}?reason=told+by+phone")).await;
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_asked_wrongly_about_dead_letters_says_so() {
    let app = App::start().await;
    let lab = app.lab("1001").await;
    let (_, id) = given_up(&app, &lab).await;
    let listed = |query: &str| app.get(&lab.key, &path(&lab, query));
    let told = vec![
        problem(listed("?kind=event").send().await.unwrap()).await,
        problem(listed("?cursor=elsewhere").send().await.unwrap()).await,
        problem(post(&app, &lab, "/replay", &json!({})).await).await,
        problem(post(&app, &lab, "/replay", &json!({ "kind": "event" })).await).await,
        problem(post(&app, &lab, "/replay", &json!({ "died_before": "May" })).await).await,
        problem(delete(&app, &lab, &format!("/{id}")).await).await,
        problem(delete(&app, &lab, &format!("/{id}?reason=")).await).await,
        problem(delete(&app, &lab, &format!("/{id}?reason=told+98765-43210")).await).await,
    ];
    insta::assert_json_snapshot!("dead_letter_problems", told);
    assert_eq!(app.count("dead_letters").await, 1);
}

#[tokio::test]
async fn another_labs_dead_letters_are_not_there() {
    let app = App::start().await;
    let (mine, theirs) = (app.lab("1001").await, app.lab("1002").await);
    let (_, id) = given_up(&app, &theirs).await;
    assert_eq!(ids(&get(&app, &mine, "").await), Vec::<String>::new());
    // By the other lab's path, and by one's own.
    let of_them = Lab {
        key: mine.key.clone(),
        ..theirs.clone()
    };
    for lab in [&of_them, &mine] {
        let answers = [
            app.get(&lab.key, &path(lab, &format!("/{id}")))
                .send()
                .await
                .unwrap(),
            post(&app, lab, &format!("/{id}/replay"), &json!({})).await,
            delete(&app, lab, &format!("/{id}?reason=mine")).await,
        ];
        for answer in answers {
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        }
    }
    let listed = app.get(&mine.key, &path(&theirs, "")).send().await.unwrap();
    assert_eq!(listed.status(), StatusCode::NOT_FOUND);
    let all = json!({ "kind": "send" });
    let foreign = post(&app, &of_them, "/replay", &all).await;
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
    let own = body_of(post(&app, &mine, "/replay", &all).await, StatusCode::OK).await;
    assert_eq!(own["replayed"], 0);
    assert_eq!(app.count("dead_letters").await, 1);
}
