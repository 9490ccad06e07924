//! Who may see and do what, below the code: row-level security and the rights of each role.

mod rights;
mod row_security;

use domain::{
    ApiKeyId, Backoff, CredentialId, Decider, Decision, FlowId, InboundMessageId, Lane, Losses,
    Scope, TemplateId, TenantId, VendorId, WorkId, WorkKind,
};
use sqlx::{AssertSqlSafe, Executor as _};
use storage::{
    Connection, Database,
    api_keys::{NewApiKey, insert_api_key},
    attachments::{MediaUpload, upsert_media_uploads},
    credentials::{NewCredential, upsert_credential},
    decisions::{NewDecision, insert_decisions},
    inbound::{NewInbound, Window, insert_inbound, open_windows},
    messages::{IdempotencyKey, accept},
    templates::{Template, upsert_template},
    webhook_apps::{WebhookApp, upsert_app},
    work::{self, Disposition, Finished, NewPause},
};

use crate::{
    support::{Lab, Stage, attachment, delivery, endpoint, message, now, seconds},
    work::new_work,
};

/// What a statement came to: how many rows it touched, or the SQLSTATE with which it was refused.
pub(crate) type Verdict = Result<u64, String>;

/// Insufficient privilege, which is also what row-level security answers.
pub(crate) fn denied() -> Verdict {
    Err("42501".to_owned())
}

pub(crate) fn refused_as(code: &str) -> Verdict {
    Err(code.to_owned())
}

/// Runs a statement for these tenants and rolls it back.
pub(crate) async fn try_statement(
    database: &Database,
    tenants: &[TenantId],
    statement: &str,
) -> Verdict {
    let mut tx = database.begin_for(tenants).await.unwrap();
    match tx.execute(AssertSqlSafe(statement.to_owned())).await {
        Ok(result) => Ok(result.rows_affected()),
        Err(error) => Err(error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .unwrap_or_else(|| panic!("`{statement}`: {error}"))
            .into_owned()),
    }
}

/// Two labs, each with a row in every table that belongs to tenants.
pub(crate) async fn two_labs() -> (Stage, Lab, Lab) {
    let stage = crate::support::stage().await;
    let (a, b) = (stage.lab().await, stage.lab().await);
    for lab in [a, b] {
        let mut tx = stage.owner.begin().await.unwrap();
        settings(&mut tx, lab).await;
        traffic(&mut tx, lab).await;
        backlog(&mut tx, lab).await;
        tx.commit().await.unwrap();
    }
    (stage, a, b)
}

async fn settings(tx: &mut Connection, lab: Lab) {
    let vendor_id = VendorId::new_at(now());
    storage::tenants::insert_vendor(tx, vendor_id, "another vendor", now())
        .await
        .unwrap();
    let key = NewApiKey {
        id: ApiKeyId::new_at(now()),
        vendor_id,
        tenant_id: Some(lab.tenant),
        hash: [1; 32],
        name: "a key".to_owned(),
    };
    insert_api_key(tx, &key, now()).await.unwrap();
    upsert_credential(tx, &credential(lab, b"sealed token"), now())
        .await
        .unwrap();
    let template = Template {
        id: TemplateId::new_at(now()),
        tenant_id: lab.tenant,
        name: "report".to_owned(),
        language: "en_US".to_owned(),
        parameters: vec!["patient".to_owned()],
        header: "document".to_owned(),
    };
    upsert_template(tx, &template, now()).await.unwrap();
    let app = WebhookApp {
        key: lab.tenant.as_uuid().to_string(),
        app_secret: b"sealed".to_vec(),
        verify_token: b"sealed".to_vec(),
        tenant_id: Some(lab.tenant),
    };
    upsert_app(tx, &app, now()).await.unwrap();
    let endpoint = endpoint(tx, lab, "https://lims.example.test/hook").await;
    delivery(tx, &endpoint).await;
}

pub(crate) fn credential(lab: Lab, access_token: &[u8]) -> NewCredential {
    NewCredential {
        id: CredentialId::new_at(now()),
        tenant_id: lab.tenant,
        sender_number_id: lab.number,
        access_token: access_token.to_vec(),
        last_four: "1234".to_owned(),
    }
}

/// A message with its file, and what the patient answered.
async fn traffic(tx: &mut Connection, lab: Lab) {
    let mut message = message(lab);
    let attachment = attachment(lab);
    message.message.attachment_id = Some(attachment.id);
    message.attachment = Some(attachment.clone());
    message.idempotency_key = Some(IdempotencyKey {
        key: "once".to_owned(),
        fingerprint: vec![1],
    });
    accept(tx, &[message], now()).await.unwrap();
    let upload = MediaUpload {
        attachment_id: attachment.id,
        sender_number_id: lab.number,
        tenant_id: lab.tenant,
        media_id: "media".to_owned(),
        expires_at: now() + seconds(60),
    };
    upsert_media_uploads(tx, &[upload]).await.unwrap();
    let inbound = NewInbound {
        id: InboundMessageId::new_at(now()),
        tenant_id: lab.tenant,
        sender_number_id: lab.number,
        wamid: "wamid.in".to_owned(),
        kind: "text".to_owned(),
        contact_hash: vec![1],
        content: vec![1],
        sent_at: now(),
        received_at: now(),
    };
    insert_inbound(tx, &[inbound]).await.unwrap();
    let window = Window {
        sender_number_id: lab.number,
        contact_hash: vec![1],
        tenant_id: lab.tenant,
        expires_at: now() + seconds(60),
    };
    open_windows(tx, &[window]).await.unwrap();
}

/// A paused flow, work that was given up, and what was decided about it.
async fn backlog(tx: &mut Connection, lab: Lab) {
    let flow = FlowId::from_uuid(lab.number.as_uuid());
    let pause = NewPause {
        scope: Scope::number(lab.number),
        tenant_id: Some(lab.tenant),
        reason: "paused".to_owned(),
        backoff: Backoff::constant(seconds(60)),
    };
    work::insert_pauses(tx, &[pause], now()).await.unwrap();
    let mut given_up = new_work(flow, Lane::Bulk, now());
    given_up.tenant_id = Some(lab.tenant);
    let lease = now() + seconds(60);
    work::insert(tx, std::slice::from_ref(&given_up), Some(lease))
        .await
        .unwrap();
    work::claim(tx, &[(given_up.id, 0)], now(), lease)
        .await
        .unwrap();
    bury(tx, given_up.id).await;
    let decision = NewDecision {
        tenant_id: Some(lab.tenant),
        decision: Decision::Replayed,
        kind: WorkKind::Send,
        subject: given_up.subject,
        reason: None,
        by: Decider::Operator,
    };
    insert_decisions(tx, &[decision], now()).await.unwrap();
}

async fn bury(tx: &mut Connection, id: WorkId) {
    let dead = Finished {
        id,
        attempt: 1,
        losses: Losses::default(),
        disposition: Disposition::Dead {
            reason: "given up".to_owned(),
        },
    };
    assert_eq!(work::finish(tx, &[dead], now()).await.unwrap().len(), 1);
}
