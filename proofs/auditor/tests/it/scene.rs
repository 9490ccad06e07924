//! A run, told step by step to every ledger at once; tests then change one of them.

use auditor::{
    Answer, Decision, DeliveryId, DeliveryRow, Episode, Expectation, Fault, Headers, KeyRow, Kind,
    Lab, LabId, Ledgers, MessageId, MessageRow, OperatorDecision, Policy, Post, Posted,
    ProviderStatus, Run, Send, State, StatusName, TimelineRow, Verdict, WorkRow, audit,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

pub(crate) const PARKS: LabId = LabId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
pub(crate) const RESENDS: LabId = LabId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002));
const KEY: &[u8] = b"the key that all labs here share";

pub(crate) struct Scene {
    pub(crate) ledgers: Ledgers,
    now: DateTime<Utc>,
}

impl Scene {
    /// Two labs, and one fault that lasted for the first minute.
    pub(crate) fn new() -> Self {
        let now: DateTime<Utc> = "2026-11-21T10:00:00Z".parse().unwrap();
        let lab = |lab_id, policy, phone_number_id: &str| Lab {
            lab_id,
            policy,
            callback_secret: format!("whsec_{}", STANDARD.encode(KEY)).into(),
            phone_number_id: phone_number_id.to_owned(),
        };
        let mut scene = Self {
            ledgers: Ledgers {
                run: Run {
                    seed: 42,
                    labs: vec![
                        lab(PARKS, Policy::Park, "1001"),
                        lab(RESENDS, Policy::Resend, "1002"),
                    ],
                    ..Run::default()
                },
                ..Ledgers::default()
            },
            now,
        };
        scene.fault("broker stopped", &[(0, 60)]);
        scene
    }

    /// A fault with its episodes, in seconds from the start of the run.
    pub(crate) fn fault(&mut self, name: &str, episodes: &[(i64, i64)]) {
        let run = &mut self.ledgers.run;
        run.faults.push(Fault {
            name: name.to_owned(),
            episodes: episodes.len(),
        });
        let start = "2026-11-21T10:00:00Z".parse::<DateTime<Utc>>().unwrap();
        run.episodes
            .extend(episodes.iter().map(|(from, to)| Episode {
                fault: name.to_owned(),
                began_at: start + TimeDelta::seconds(*from),
                ended_at: start + TimeDelta::seconds(*to),
            }));
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    /// The LIMS posts a report, and it is acknowledged.
    pub(crate) fn accept(&mut self, lab_id: LabId) -> MessageId {
        let message_id = MessageId(Uuid::now_v7());
        let number = self.ledgers.lims.len();
        self.ledgers.lims.push(Posted {
            key: format!("order-{number}"),
            lab_id,
            phone: format!("+9198{number:08}"),
            sha256: format!("{number:064x}"),
            posted_at: self.now,
            expect: Expectation::Any,
            answer: Answer::Acknowledged {
                message_id,
                acked_at: self.now,
            },
        });
        self.store(message_id);
        message_id
    }

    /// The LIMS posts a report that is stored, and never hears of it.
    pub(crate) fn accept_unheard(&mut self, lab_id: LabId) -> MessageId {
        let message_id = self.accept(lab_id);
        self.ledgers.lims.last_mut().unwrap().answer = Answer::GaveUp;
        message_id
    }

    fn store(&mut self, message_id: MessageId) {
        let posted = self.ledgers.lims.last().unwrap();
        self.ledgers.database.keys.push(KeyRow {
            lab_id: posted.lab_id,
            key: posted.key.clone(),
            message_id,
        });
        self.ledgers.database.messages.push(MessageRow {
            message_id,
            lab_id: posted.lab_id,
            has_content: true,
            state: State::Queued,
            attempts: 0,
            resends: 0,
            was_sent: false,
            was_delivered: false,
            was_read: false,
            was_failed: false,
            was_unconfirmed: false,
            failure_class: None,
            failure_detail: None,
        });
        self.note(message_id, "accepted", None, None);
    }

    /// The whole way of a report that all goes well for.
    pub(crate) fn read(&mut self, lab_id: LabId) -> MessageId {
        let message = self.accept(lab_id);
        self.send(message);
        self.status(message, StatusName::Sent);
        self.status(message, StatusName::Delivered);
        self.status(message, StatusName::Read);
        message
    }

    /// Sent, and the answer seen.
    pub(crate) fn send(&mut self, message: MessageId) {
        self.provider_accepts(message);
        self.attempt(message, "accepted");
        self.enter(message, State::Sent);
    }

    /// The answer to a send was not seen, whether it was accepted or not.
    pub(crate) fn doubt(&mut self, message: MessageId) {
        self.attempt(message, "unconfirmed");
        self.enter(message, State::Unconfirmed);
    }

    /// A send that the provider refused for good.
    pub(crate) fn refuse(&mut self, message: MessageId) {
        self.attempt(message, "failed");
        let row = self.row(message);
        row.failure_class = Some("permanent".to_owned());
        row.failure_detail = Some("The template does not exist.".to_owned());
        self.enter(message, State::Failed);
    }

    pub(crate) fn provider_accepts(&mut self, message: MessageId) {
        self.wait(1);
        let posted = self.posted(message);
        let send = Send {
            opaque: Some(message.to_string()),
            phone_number_id: if posted.lab_id == PARKS {
                "1001"
            } else {
                "1002"
            }
            .to_owned(),
            to: posted.phone.trim_start_matches('+').to_owned(),
            media_sha256: Some(posted.sha256.clone()),
            at: self.now,
            fate: Vec::new(),
        };
        self.ledgers.provider.push(send);
    }

    pub(crate) fn attempt(&mut self, message: MessageId, result: &str) {
        self.note(message, "attempt", Some(result), None);
        self.row(message).attempts += 1;
    }

    /// A status of the latest send that the provider tells, and that is applied.
    pub(crate) fn status(&mut self, message: MessageId, status: StatusName) {
        self.wait(1);
        self.happens(message, status, true);
        self.note(message, "status", None, Some(&status.to_string()));
        let state = State::try_from(status.to_string()).unwrap();
        let row = self.row(message);
        if state == State::Failed {
            row.failure_class = Some("unreachable".to_owned());
            row.failure_detail = Some("The phone does not answer.".to_owned());
        }
        let holds = match row.state {
            State::Read => false,
            State::Delivered => state == State::Read,
            State::Failed => state == State::Delivered,
            before => before != state,
        };
        if holds {
            self.enter(message, state);
        } else {
            self.mark(message, state);
        }
    }

    /// Something that becomes of the latest send, as the provider knows.
    pub(crate) fn happens(&mut self, message: MessageId, status: StatusName, told: bool) {
        let code = (status == StatusName::Failed).then_some(131_026);
        let opaque = Some(message.to_string());
        let mut sends = self.ledgers.provider.iter_mut();
        let send = sends.rfind(|send| send.opaque == opaque).unwrap();
        send.fate.push(ProviderStatus { status, code, told });
    }

    /// The database comes to a state, and the LIMS is told.
    pub(crate) fn enter(&mut self, message: MessageId, state: State) {
        self.mark(message, state);
        self.row(message).state = state;
        if state != State::Queued {
            self.call_back(message, state);
        }
    }

    fn mark(&mut self, message: MessageId, state: State) {
        let row = self.row(message);
        match state {
            State::Sent => row.was_sent = true,
            State::Delivered => row.was_delivered = true,
            State::Read => row.was_read = true,
            State::Failed => row.was_failed = true,
            State::Unconfirmed => row.was_unconfirmed = true,
            _ => {}
        }
    }

    fn call_back(&mut self, message: MessageId, state: State) {
        self.wait(1);
        let id = DeliveryId(Uuid::now_v7());
        let lab_id = self.row(message).lab_id;
        let body = body(lab_id, message, &state.to_string());
        let post = post(self.now, &id.to_string(), body);
        self.ledgers.callbacks.push(post);
        self.ledgers.database.deliveries.push(DeliveryRow {
            id,
            message_id: Some(message),
            was_delivered: true,
        });
        self.note(message, "callback", Some("delivered"), None);
        let entry = self.ledgers.database.timeline.last_mut().unwrap();
        entry.delivery_id = Some(id.to_string());
    }

    /// A callback that was never made: as if it had not happened, in every ledger.
    pub(crate) fn unsay(&mut self, message: MessageId, state: State) {
        let said = format!(r#""{message}","state":"{state}""#);
        let callbacks = &mut self.ledgers.callbacks;
        let place = callbacks
            .iter()
            .position(|it| it.body.contains(&said))
            .unwrap();
        let id = callbacks.remove(place).headers.webhook_id;
        let database = &mut self.ledgers.database;
        database.deliveries.retain(|it| it.id.to_string() != id);
        database
            .timeline
            .retain(|it| it.delivery_id.as_ref() != Some(&id));
    }

    pub(crate) fn note(
        &mut self,
        message_id: MessageId,
        kind: &str,
        result: Option<&str>,
        status: Option<&str>,
    ) {
        self.ledgers.database.timeline.push(TimelineRow {
            message_id,
            kind: kind.to_owned(),
            result: result.map(str::to_owned),
            status: status.map(str::to_owned),
            delivery_id: None,
        });
    }

    pub(crate) fn decide(&mut self, message_id: MessageId, decision: Decision) {
        self.wait(1);
        self.ledgers.operator.push(OperatorDecision {
            message_id,
            decision,
            at: self.now,
        });
        self.note(message_id, "resolved", None, None);
        match decision {
            Decision::Sent => self.enter(message_id, State::Sent),
            Decision::NotSent => self.enter(message_id, State::Queued),
        }
    }

    pub(crate) fn leave_work(&mut self, kind: &str, subject: Uuid) {
        self.ledgers.database.work.push(WorkRow {
            kind: kind.to_owned(),
            subject,
            state: "waiting".to_owned(),
            reason: Some("the provider could not be reached".to_owned()),
        });
    }

    pub(crate) fn row(&mut self, message: MessageId) -> &mut MessageRow {
        let mut rows = self.ledgers.database.messages.iter_mut().rev();
        rows.find(|row| row.message_id == message).unwrap()
    }

    pub(crate) fn posted(&mut self, message: MessageId) -> &mut Posted {
        let keys = &self.ledgers.database.keys;
        let key = keys.iter().rfind(|it| it.message_id == message).unwrap();
        let mut posts = self.ledgers.lims.iter_mut().rev();
        posts.find(|posted| posted.key == key.key).unwrap()
    }

    pub(crate) fn sends(&mut self, message: MessageId) -> Vec<&mut Send> {
        let opaque = Some(message.to_string());
        let sends = self.ledgers.provider.iter_mut();
        sends.filter(|send| send.opaque == opaque).collect()
    }

    pub(crate) fn callbacks(&mut self, message: MessageId) -> Vec<&mut Post> {
        let id = message.to_string();
        let callbacks = self.ledgers.callbacks.iter_mut();
        callbacks.filter(|post| post.body.contains(&id)).collect()
    }

    pub(crate) fn audit(&self) -> Verdict {
        audit(&self.ledgers)
    }

    /// Fails unless exactly this is found to be wrong.
    #[track_caller]
    pub(crate) fn assert_breaches<I: ToString>(&self, expected: &[(Kind, I)]) {
        let verdict = self.audit();
        let found = verdict.breaches.iter().map(|it| (it.kind, it.id.clone()));
        let expected = expected.iter().map(|(kind, id)| (*kind, id.to_string()));
        assert_eq!(
            found.collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "\n{verdict}"
        );
        assert_eq!(verdict.is_ok(), verdict.breaches.is_empty());
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        self.assert_breaches::<String>(&[]);
    }
}

pub(crate) fn body(lab_id: LabId, message_id: MessageId, state: &str) -> String {
    format!(
        r#"{{"type":"message.{state}","timestamp":"2026-11-21T10:00:00Z","data":{{"lab_id":"{lab_id}","message_id":"{message_id}","state":"{state}","occurred_at":"2026-11-21T10:00:00Z"}}}}"#
    )
}

/// A callback, signed as Standard Webhooks 1.0 wants it.
pub(crate) fn post(at: DateTime<Utc>, id: &str, body: String) -> Post {
    let timestamp = at.timestamp().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    Post {
        at,
        headers: Headers {
            webhook_id: id.to_owned(),
            webhook_timestamp: timestamp,
            webhook_signature: format!("v1,{signature}"),
        },
        body,
    }
}
