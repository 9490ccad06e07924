//! What the tests share: labs with messages and endpoints, and things to learn about them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use convergence::{Changed, Entry, Learned, learn};
use domain::{
    CallbackEndpointId, Clock, ErrorClass, FailureCause, Lane, Language, Losses, MessageId,
    MessageState, ReportedStatus, Scope, SenderNumberId, StatusReport, SystemClock, TenantId,
    UnconfirmedPolicy, VendorId, WorkId,
};
use serde_json::{Value, json};
use storage::{
    Database, Transaction,
    callbacks::{Endpoint, set_endpoint},
    messages::{Message, MessageRow, NewMessage, accept, find_state, list_timeline},
    sender_numbers::{SenderNumber, insert_sender_number},
    tenants::{Tenant, insert_tenant, insert_vendor},
    work::{self, Claim, Disposition, Finished},
};
use testkit::{TestDatabase, database};
use uuid::Uuid;

pub(crate) struct Stage {
    pub(crate) owner: Database,
    pub(crate) gateway: Database,
    worker: Database,
    pub(crate) test: TestDatabase,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Lab {
    pub(crate) tenant: TenantId,
    number: SenderNumberId,
}

pub(crate) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

pub(crate) async fn stage() -> Stage {
    let test = database().await;
    let connect = |url| Database::connect(url, 8, Duration::from_secs(20)).unwrap();
    Stage {
        owner: connect(&test.owner_url),
        gateway: connect(&test.gateway_url),
        worker: connect(&test.worker_url),
        test,
    }
}

impl Stage {
    pub(crate) async fn begin(&self) -> Transaction {
        self.worker.begin().await.unwrap()
    }

    pub(crate) async fn lab(&self) -> Lab {
        let (tenant, number) = (TenantId::new_at(now()), SenderNumberId::new_at(now()));
        let vendor_id = VendorId::new_at(now());
        let mut tx = self.owner.begin().await.unwrap();
        insert_vendor(&mut tx, vendor_id, "a vendor", now())
            .await
            .unwrap();
        let lab = Tenant {
            id: tenant,
            vendor_id,
            name: "City Lab".to_owned(),
            contact_email: "lab@example.test".to_owned(),
            region: "IN".parse().unwrap(),
            language: Language::English,
            unconfirmed_policy: UnconfirmedPolicy::Park,
            created_at: now(),
        };
        insert_tenant(&mut tx, &lab).await.unwrap();
        let number = SenderNumber {
            id: number,
            tenant_id: tenant,
            phone_number_id: Uuid::new_v4().to_string(),
            waba_id: "waba".to_owned(),
            display_phone_number: "+91 11 5550 0000".to_owned(),
            rate_per_second: 80.0,
            burst: 10,
            app_key: None,
        };
        insert_sender_number(&mut tx, &number, now()).await.unwrap();
        tx.commit().await.unwrap();
        Lab {
            tenant,
            number: number.id,
        }
    }

    /// Makes this the lab's endpoint.
    pub(crate) async fn endpoint(&self, lab: Lab, url: &str) -> CallbackEndpointId {
        let endpoint = Endpoint {
            id: CallbackEndpointId::new_at(now()),
            tenant_id: lab.tenant,
            url: url.to_owned(),
            secret: b"sealed".to_vec(),
        };
        let mut tx = self.owner.begin().await.unwrap();
        set_endpoint(&mut tx, &endpoint, now()).await.unwrap();
        tx.commit().await.unwrap();
        endpoint.id
    }

    /// An accepted message, whose send waits.
    pub(crate) async fn message(&self, lab: Lab) -> MessageId {
        let created_at = now();
        let message = NewMessage {
            message: Message {
                id: MessageId::new_at(created_at),
                tenant_id: lab.tenant,
                sender_number_id: lab.number,
                lane: Lane::Report,
                recipient: b"sealed recipient".to_vec(),
                recipient_hash: b"hash".to_vec(),
                content: b"sealed content".to_vec(),
                attachment_id: None,
                expires_at: created_at + Duration::from_hours(1),
                created_at,
            },
            attachment: None,
            idempotency_key: None,
            traceparent: None,
        };
        let mut tx = self.owner.begin().await.unwrap();
        accept(&mut tx, std::slice::from_ref(&message), now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        message.message.id
    }

    /// Learns in a transaction of its own.
    pub(crate) async fn learn(&self, learned: Vec<Learned>) -> Vec<Changed> {
        let mut tx = self.begin().await;
        let changes = learn(&mut tx, learned, now()).await.unwrap();
        tx.commit().await.unwrap();
        changes
    }

    /// Takes a message's send in hand, as a consumer does.
    pub(crate) async fn claim(&self, id: MessageId) -> Claim {
        let release = format!(
            "update work set state = 'released', lease_until = now() + interval '1 minute' where subject = '{}'",
            id.as_uuid()
        );
        self.test.execute(&release).await;
        let work = format!(
            "select id, attempt from work where subject = '{}'",
            id.as_uuid()
        );
        let work = &self.test.rows(&work).await[0];
        let work_id: Uuid = work["id"].as_str().unwrap().parse().unwrap();
        let attempt = i32::try_from(work["attempt"].as_i64().unwrap()).unwrap();
        let (hint, lease) = (
            (WorkId::from_uuid(work_id), attempt),
            now() + Duration::from_mins(1),
        );
        let mut tx = self.begin().await;
        let claims = work::claim(&mut tx, &[hint], now(), lease).await.unwrap();
        tx.commit().await.unwrap();
        claims.into_iter().next().unwrap()
    }

    pub(crate) async fn finish(&self, claim: &Claim, disposition: Disposition) {
        let finished = Finished {
            id: claim.id,
            attempt: claim.attempt,
            losses: Losses::default(),
            disposition,
        };
        let mut tx = self.begin().await;
        let ours = work::finish(&mut tx, &[finished], now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ours.len(), 1);
    }

    /// A message in doubt whose send waits for a decision.
    pub(crate) async fn parked(&self, lab: Lab) -> MessageId {
        let id = self.message(lab).await;
        let claim = self.claim(id).await;
        self.learn(vec![based(id, MessageState::Unconfirmed)]).await;
        let scope = Scope::message(id);
        let reason = "waiting for a decision".to_owned();
        self.finish(&claim, Disposition::Hold { scope, reason })
            .await;
        id
    }

    pub(crate) async fn work(&self, id: MessageId) -> Option<Value> {
        let query = format!(
            "select state, due_at = created_at as at_its_place, hold_scope, reason from work where kind = 'send' and subject = '{}'",
            id.as_uuid()
        );
        self.test.rows(&query).await.pop()
    }

    /// The last line of a message's timeline.
    pub(crate) async fn last_entry(&self, id: MessageId) -> (String, Value) {
        let mut tx = self.begin().await;
        let last = list_timeline(&mut tx, id).await.unwrap().pop().unwrap();
        (last.kind, last.detail)
    }

    pub(crate) async fn decisions(&self) -> Vec<Value> {
        let query = "select decision, kind, reason, decided_by from decisions order by id";
        self.test.rows(query).await
    }

    pub(crate) async fn state(&self, id: MessageId) -> MessageRow {
        let mut tx = self.begin().await;
        find_state(&mut tx, id).await.unwrap().unwrap()
    }

    pub(crate) async fn count(&self, from: &str) -> i64 {
        let query = format!("select count(*) as n from {from}");
        self.test.rows(&query).await[0]["n"].as_i64().unwrap()
    }

    /// What the endpoint is to be told, in order.
    pub(crate) async fn told(&self, endpoint: CallbackEndpointId) -> Vec<Value> {
        let query = format!(
            "select d.payload from callback_deliveries d join work w on w.subject = d.id and w.kind = 'callback'
             where d.endpoint_id = '{0}' and w.flow = '{0}' and w.tenant_id = d.tenant_id and w.state = 'waiting'
             order by d.created_at, d.id",
            endpoint.as_uuid()
        );
        let rows = self.test.rows(&query).await;
        rows.iter()
            .map(|row| serde_json::from_str(row["payload"].as_str().unwrap()).unwrap())
            .collect()
    }
}

pub(crate) fn report(status: ReportedStatus, at: DateTime<Utc>) -> StatusReport {
    StatusReport {
        status,
        at,
        cause: (status == ReportedStatus::Failed).then(|| FailureCause {
            code: Some(131_026),
            class: ErrorClass::Unreachable,
            detail: "this number cannot be reached".to_owned(),
        }),
    }
}

/// A status as the provider reports it.
pub(crate) fn heard(id: MessageId, status: ReportedStatus) -> Learned {
    let at = now();
    Learned {
        reports: vec![report(status, at)],
        entries: vec![Entry {
            at,
            kind: "status",
            detail: json!({ "status": status.as_str() }),
        }],
        ..Learned::about(id)
    }
}

pub(crate) fn based(id: MessageId, base: MessageState) -> Learned {
    Learned {
        base: Some(base),
        ..Learned::about(id)
    }
}
