//! What an operator sees and does who looks after what could not go on by itself, with nothing but the database.

use std::process::Command;

use domain::{Clock as _, MessageId, SystemClock, TenantId, WorkId};
use testkit::TestDatabase;
use uuid::Uuid;

/// A lab with a parked message, one that waits for news, a send, a callback and an event that were given up.
struct Stage {
    database: TestDatabase,
    /// What differs in each run, and what is shown in its place.
    names: Vec<(String, String)>,
    lab: TenantId,
}

impl Stage {
    async fn new() -> Self {
        let lab = TenantId::new_at(SystemClock.now());
        let mut stage = Self {
            database: testkit::database().await,
            names: Vec::new(),
            lab,
        };
        stage.name(&lab.to_string());
        let insert = format!(
            "insert into vendors values ('{0}', 'a vendor', now());
             insert into tenants (id, vendor_id, name, contact_email, region, language, created_at)
             values ('{0}', '{0}', 'City Lab', 'lab@example.test', 'IN', 'en', now())",
            lab.as_uuid()
        );
        stage.database.execute(&insert).await;
        stage
    }

    fn name(&mut self, id: &str) {
        let (kind, digits) = id.split_once('_').unwrap();
        let number = self.names.len() + 1;
        let width = digits.len();
        self.names
            .push((id.to_owned(), format!("{kind}_{number:0width$}")));
    }

    async fn message(&mut self, state: &str, more: &str) -> MessageId {
        let id = MessageId::new_at(SystemClock.now());
        self.name(&id.to_string());
        let insert = format!(
            "insert into message_state (message_id, tenant_id, state, base, unconfirmed_at, given_up_at, given_up, resends, updated_at)
             values ('{id}', '{lab}', '{state}', {more}, now());
             insert into timeline values ('{id}', '{entry}', '{lab}', '2026-11-20T09:00:00Z', 'accepted', '{{}}')",
            id = id.as_uuid(),
            lab = self.lab.as_uuid(),
            entry = Uuid::now_v7(),
        );
        self.database.execute(&insert).await;
        id
    }

    async fn doubt(&mut self, since: &str, send: &str) -> MessageId {
        let more = format!("'unconfirmed', '{since}', null, null, 1");
        let id = self.message("unconfirmed", &more).await;
        let insert = format!(
            "insert into work (id, kind, flow, partition, lane, subject, tenant_id, created_at, state, due_at, hold_scope)
             values (gen_random_uuid(), 'send', gen_random_uuid(), 0, 1, '{}', '{}', now(), {send})",
            id.as_uuid(),
            self.lab.as_uuid()
        );
        self.database.execute(&insert).await;
        id
    }

    async fn dead_letter(
        &mut self,
        kind: &str,
        subject: Uuid,
        (died, reason): (&str, &str),
    ) -> WorkId {
        let id = WorkId::new_at(SystemClock.now());
        self.name(&id.to_string());
        let tenant = if kind == "event" {
            "null".to_owned()
        } else {
            format!("'{}'", self.lab.as_uuid())
        };
        let insert = format!(
            "insert into dead_letters (id, kind, flow, lane, subject, tenant_id, attempt, reason, created_at, died_at)
             values ('{}', '{kind}', gen_random_uuid(), 1, '{subject}', {tenant}, 5, '{reason}', '2026-11-20T09:00:00Z', '{died}')",
            id.as_uuid()
        );
        self.database.execute(&insert).await;
        id
    }

    /// The send of a message, a callback about it, an event.
    async fn dead_letters(&mut self) -> [WorkId; 3] {
        let cause = r#"{"code": null, "class": "permanent", "detail": "given up"}"#;
        let more = format!("'queued', null, now(), '{cause}', 0");
        let message = self.message("failed", &more).await;
        let delivery = Uuid::now_v7();
        let insert = format!(
            "insert into callback_deliveries (id, tenant_id, endpoint_id, message_id, payload, attempts, last_status, last_error, created_at)
             values ('{delivery}', '{}', gen_random_uuid(), '{}', '{{}}', 10, 503, 'the endpoint answered 503', now())",
            self.lab.as_uuid(),
            message.as_uuid()
        );
        self.database.execute(&insert).await;
        let reasons = [
            (
                "2026-11-21T09:30:00Z",
                "given up: again and again its sender was lost while preparing it",
            ),
            (
                "2026-11-22T09:30:00Z",
                "given up after 10 attempts: the endpoint answered 503",
            ),
            ("2026-11-23T09:30:00Z", "the body is not JSON"),
        ];
        [
            self.dead_letter("send", message.as_uuid(), reasons[0])
                .await,
            self.dead_letter("callback", delivery, reasons[1]).await,
            self.dead_letter("event", Uuid::now_v7(), reasons[2]).await,
        ]
    }

    /// What a command says, with its exit code; ids have small numbers.
    fn labwire(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_labwire"))
            .args(arguments)
            .env_clear()
            .env("LABWIRE_POSTGRES__URL", &self.database.owner_url)
            .env("LABWIRE_TELEMETRY__LOG_LEVEL", "error")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let stderr = text(&output.stderr);
        // The log's instant comes first.
        let complaints = stderr
            .lines()
            .map(|line| line.split_once("ERROR").map_or(line, |it| it.1));
        let complaints: Vec<&str> = complaints.collect();
        let mut said = format!(
            "$ labwire {}\n{}{}\nexit code {}\n",
            arguments.join(" "),
            text(&output.stdout),
            complaints.join("\n"),
            output.status.code().unwrap()
        );
        for (id, name) in &self.names {
            said = said.replace(id, name);
        }
        said
    }

    async fn count(&self, from: &str) -> i64 {
        let query = format!("select count(*) as n from {from}");
        self.database.rows(&query).await[0]["n"].as_i64().unwrap()
    }
}

#[tokio::test]
async fn messages_in_doubt_are_listed_and_resolved() {
    let mut stage = Stage::new().await;
    let parked = stage
        .doubt("2026-11-20T09:30:00Z", "'held', now(), 'message:it'")
        .await
        .to_string();
    let waiting = stage
        .doubt(
            "2026-11-20T09:35:00Z",
            "'waiting', '2026-11-20T09:45:00Z', null",
        )
        .await
        .to_string();
    let said = [
        stage.labwire(&["unconfirmed", "list"]),
        stage.labwire(&["unconfirmed", "list", "--parked", "--json"]),
        stage.labwire(&[
            "unconfirmed",
            "resolve",
            &parked,
            "--as",
            "sent",
            "--wamid",
            "wamid.HBgM",
        ]),
        stage.labwire(&["unconfirmed", "resolve", &parked, "--as", "not-sent"]),
        stage.labwire(&[
            "unconfirmed",
            "resolve",
            &waiting,
            "--as",
            "sent",
            "--wamid",
            "wamid.HBgM",
        ]),
        stage.labwire(&["unconfirmed", "resolve", &waiting, "--as", "not-sent"]),
        stage.labwire(&[
            "unconfirmed",
            "resolve",
            "msg_00000000000070008000000000000000",
            "--as",
            "sent",
        ]),
        stage.labwire(&["unconfirmed", "resolve", &waiting, "--as", "lost"]),
        stage.labwire(&["unconfirmed", "list"]),
    ];
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(
        stage.count("decisions where decided_by = 'operator'").await,
        2
    );
}

#[tokio::test]
async fn dead_letters_are_listed_shown_replayed_and_discarded() {
    let mut stage = Stage::new().await;
    let letters = stage.dead_letters().await;
    let [send, callback, event] = letters.map(|id| id.to_string());
    let said = [
        stage.labwire(&["dead-letters", "list"]),
        stage.labwire(&["dead-letters", "list", "--kind", "event", "--json"]),
        stage.labwire(&["dead-letters", "show", &send]),
        stage.labwire(&["dead-letters", "show", &callback]),
        stage.labwire(&["dead-letters", "show", &callback, "--json"]),
        stage.labwire(&["dead-letters", "show", &event]),
        stage.labwire(&[
            "dead-letters",
            "discard",
            &callback,
            "--reason",
            "told 9876543210",
        ]),
        stage.labwire(&[
            "dead-letters",
            "discard",
            &callback,
            "--reason",
            "told by phone",
        ]),
        stage.labwire(&[
            "dead-letters",
            "discard",
            &callback,
            "--reason",
            "told by phone",
        ]),
        stage.labwire(&["dead-letters", "replay", &send, &callback]),
        stage.labwire(&["dead-letters", "replay", &send]),
        stage.labwire(&["dead-letters", "replay"]),
        stage.labwire(&["dead-letters", "replay", &event, "--kind", "event"]),
        stage.labwire(&[
            "dead-letters",
            "replay",
            "--kind",
            "event",
            "--before",
            "2026-11-22T00:00:00Z",
        ]),
        stage.labwire(&[
            "dead-letters",
            "replay",
            "--kind",
            "event",
            "--reason",
            "not json",
            "--json",
        ]),
        stage.labwire(&["dead-letters", "list"]),
    ];
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(stage.count("work where state = 'waiting'").await, 2);
    assert_eq!(
        stage.count("decisions where decided_by = 'operator'").await,
        3
    );
}

#[tokio::test]
async fn all_of_a_kind_are_replayed_when_that_is_said() {
    let stage = Stage::new().await;
    let insert = "insert into dead_letters (id, kind, flow, lane, subject, attempt, reason, created_at, died_at)
         select gen_random_uuid(), 'event', gen_random_uuid(), 1, gen_random_uuid(), 1, 'unreadable', now(), now()
         from generate_series(1, 2500)";
    stage.database.execute(insert).await;
    let said = [
        stage.labwire(&["dead-letters", "replay", "--kind", "event"]),
        stage.labwire(&["dead-letters", "replay", "--kind", "event", "--all"]),
    ];
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(stage.count("work").await, 2500);
}

#[tokio::test]
async fn numbers_are_assigned_to_an_app_all_or_none() {
    let stage = Stage::new().await;
    let insert = format!(
        "insert into webhook_apps values ('main', '', '', null, now()), ('own', '', '', '{lab}', now());
         insert into vendors values ('{other}', 'another', now());
         insert into tenants (id, vendor_id, name, contact_email, region, language, created_at)
         values ('{other}', '{other}', 'Hill Clinic', 'clinic@example.test', 'IN', 'en', now());
         insert into sender_numbers (id, tenant_id, provider, phone_number_id, waba_id, display_phone_number, rate_per_second, burst, created_at)
         values (gen_random_uuid(), '{lab}', 'meta', '301', 'w', '+91', 1, 1, now()), (gen_random_uuid(), '{other}', 'meta', '302', 'w', '+91', 1, 1, now())",
        lab = stage.lab.as_uuid(),
        other = Uuid::now_v7(),
    );
    stage.database.execute(&insert).await;
    let said = [
        stage.labwire(&["assign-app", "nobody", "301"]),
        stage.labwire(&["assign-app", "main", "301", "999"]),
        // Another lab's number is none that this app may speak of.
        stage.labwire(&["assign-app", "own", "301", "302"]),
    ];
    assert_eq!(
        stage
            .count("sender_numbers where app_key is not null")
            .await,
        0
    );
    let done = stage.labwire(&["assign-app", "main", "301", "302"]);
    assert_eq!(
        stage.count("sender_numbers where app_key = 'main'").await,
        2
    );
    insta::assert_snapshot!([&said[..], &[done]].concat().join("\n"));
}
