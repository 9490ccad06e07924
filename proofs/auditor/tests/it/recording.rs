//! A scene as it is found after a run: the ledgers' files, and the rows of a real database.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
};

use auditor::{Answer, Decision, Expectation, Ledgers, Policy, Run};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testkit::TestDatabase;

/// Writes the files of a run.
pub(crate) fn write(ledgers: &Ledgers, folder: &Path) {
    fs::write(folder.join("run.json"), plan(&ledgers.run).to_string()).unwrap();
    write_lines(folder, "lims", ledgers.lims.iter().map(posted));
    write_lines(folder, "provider", ledgers.provider.iter().map(send));
    write_lines(folder, "callbacks", ledgers.callbacks.iter().map(callback));
    write_lines(folder, "operator", ledgers.operator.iter().map(decision));
}

fn write_lines(folder: &Path, name: &str, lines: impl Iterator<Item = Value>) {
    let mut file = BufWriter::new(File::create(folder.join(format!("{name}.ndjson"))).unwrap());
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
}

fn plan(run: &Run) -> Value {
    let labs = run.labs.iter().map(|lab| {
        json!({
            "lab_id": lab.lab_id.to_string(),
            "policy": match lab.policy { Policy::Park => "park", Policy::Resend => "resend" },
            "callback_secret": lab.callback_secret.expose_secret(),
            "phone_number_id": lab.phone_number_id,
        })
    });
    let faults = run.faults.iter();
    let faults = faults.map(|it| json!({ "name": it.name, "episodes": it.episodes }));
    let episodes = run.episodes.iter();
    let episodes = episodes
        .map(|it| json!({ "fault": it.fault, "began_at": it.began_at, "ended_at": it.ended_at }));
    json!({
        "seed": run.seed, "labs": labs.collect::<Vec<_>>(), "faults": faults.collect::<Vec<_>>(),
        "episodes": episodes.collect::<Vec<_>>(),
    })
}

fn posted(posted: &auditor::Posted) -> Value {
    let mut line = json!({
        "key": posted.key, "lab_id": posted.lab_id.to_string(), "phone": posted.phone, "sha256": posted.sha256,
        "posted_at": posted.posted_at,
        "expect": match posted.expect {
            Expectation::Delivered => "delivered",
            Expectation::Failed => "failed",
            Expectation::Any => "any",
        },
    });
    match posted.answer {
        Answer::GaveUp => line["gave_up"] = true.into(),
        Answer::Acknowledged {
            message_id,
            acked_at,
        } => {
            line["message_id"] = message_id.to_string().into();
            line["acked_at"] = json!(acked_at);
        }
    }
    line
}

fn send(send: &auditor::Send) -> Value {
    let fate = send.fate.iter();
    let fate =
        fate.map(|it| json!({ "status": it.status.to_string(), "code": it.code, "told": it.told }));
    json!({
        "wamid": "wamid.1", "opaque": send.opaque, "phone_number_id": send.phone_number_id, "to": send.to,
        "kind": "template", "template": "report_ready", "media_sha256": send.media_sha256, "at": send.at,
        "fate": fate.collect::<Vec<_>>(),
    })
}

fn callback(post: &auditor::Post) -> Value {
    let headers = &post.headers;
    json!({
        "at": post.at, "body": post.body,
        "headers": {
            "webhook-id": headers.webhook_id, "webhook-timestamp": headers.webhook_timestamp,
            "webhook-signature": headers.webhook_signature,
        },
    })
}

fn decision(it: &auditor::OperatorDecision) -> Value {
    let decision = match it.decision {
        Decision::Sent => "sent",
        Decision::NotSent => "not_sent",
    };
    json!({ "message_id": it.message_id.to_string(), "decision": decision, "at": it.at })
}

/// How many rows one statement inserts.
const CHUNK: usize = 1000;

/// Puts the rows of a scene where the pipeline puts them.
pub(crate) async fn store(ledgers: &Ledgers, database: &TestDatabase) {
    database.execute(&labs(&ledgers.run)).await;
    for (table, rows) in tables(ledgers) {
        for rows in rows.chunks(CHUNK) {
            let insert = format!("insert into {table} values {}", rows.join(", "));
            database.execute(&insert).await;
        }
    }
}

fn labs(run: &Run) -> String {
    let vendor = "00000000-0000-0000-0000-000000000001";
    let labs = run.labs.iter().map(|lab| {
        let (id, number) = (lab.lab_id.0, &lab.phone_number_id);
        format!(
            "insert into tenants (id, vendor_id, name, contact_email, region, language, created_at)
             values ('{id}', '{vendor}', 'a lab', 'a@lab.example', 'IN', 'en', now());
             insert into sender_numbers (id, tenant_id, provider, phone_number_id, waba_id, display_phone_number, rate_per_second, burst, created_at)
             values ('{id}', '{id}', 'meta', '{number}', 'w', '+91 80 4718 2201', 80, 80, now());"
        )
    });
    let vendor = format!("insert into vendors values ('{vendor}', 'a vendor', now());");
    [vendor].into_iter().chain(labs).collect()
}

/// The columns of each table, and its rows.
fn tables(ledgers: &Ledgers) -> Vec<(&'static str, Vec<String>)> {
    let rows = &ledgers.database;
    let text = |text: Option<&str>| text.map_or("null".to_owned(), |it| format!("'{it}'"));
    let instant = |is_there: bool| if is_there { "now()" } else { "null" };
    let messages = rows.messages.iter().filter(|it| it.has_content);
    vec![
        (
            "messages (id, tenant_id, sender_number_id, lane, recipient, content, recipient_hash, expires_at, created_at)",
            messages.map(|it| format!("('{}', '{1}', '{1}', 1, '', '', '', now(), now())", it.message_id.0, it.lab_id.0)).collect(),
        ),
        (
            "message_state (message_id, tenant_id, state, base, attempts, resends, sent_at, delivered_at, read_at, failed_at, unconfirmed_at, failure, updated_at)",
            rows.messages.iter().map(|it| {
                let failure = json!({ "code": null, "class": it.failure_class, "detail": it.failure_detail });
                format!(
                    "('{}', '{}', '{}', 'queued', {}, {}, {}, {}, {}, {}, {}, {}, now())",
                    it.message_id.0, it.lab_id.0, it.state, it.attempts, it.resends, instant(it.was_sent), instant(it.was_delivered),
                    instant(it.was_read), instant(it.was_failed), instant(it.was_unconfirmed),
                    if it.was_failed { format!("'{failure}'") } else { "null".to_owned() },
                )
            }).collect(),
        ),
        (
            "timeline (message_id, id, tenant_id, at, kind, detail)",
            rows.timeline.iter().map(|it| {
                let detail = json!({ "result": it.result, "status": it.status, "delivery_id": it.delivery_id });
                format!("('{}', '{}', '{}', now(), '{}', '{detail}')", it.message_id.0, uuid::Uuid::now_v7(), uuid::Uuid::nil(), it.kind)
            }).collect(),
        ),
        (
            "work (id, kind, flow, partition, lane, subject, state, due_at, reason, created_at)",
            rows.work.iter().map(|it| {
                format!("('{0}', '{1}', '{0}', 0, 1, '{0}', '{2}', now(), {3}, now())", it.subject, it.kind, it.state, text(it.reason.as_deref()))
            }).collect(),
        ),
        (
            "dead_letters (id, kind, flow, lane, subject, attempt, reason, created_at, died_at)",
            rows.dead_letters.iter().map(|it| format!("('{0}', '{1}', '{0}', 1, '{0}', 1, '{2}', now(), now())", it.subject, it.kind, it.reason)).collect(),
        ),
        (
            "callback_deliveries (id, tenant_id, endpoint_id, message_id, payload, delivered_at, created_at)",
            rows.deliveries.iter().map(|it| {
                let message = it.message_id.map(|id| id.0.to_string());
                let tenant = ledgers.run.labs[0].lab_id.0;
                format!("('{}', '{tenant}', '{tenant}', {}, '', {}, now())", it.id.0, text(message.as_deref()), instant(it.was_delivered))
            }).collect(),
        ),
        (
            "idempotency_keys (tenant_id, key, fingerprint, message_id, created_at)",
            rows.keys.iter().map(|it| format!("('{}', '{}', '', '{}', now())", it.lab_id.0, it.key, it.message_id.0)).collect(),
        ),
    ]
}
