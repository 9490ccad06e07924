use std::sync::Arc;

use attachments::MediaType;
use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use domain::{Lane, MessageId, MessageState};
use http::{HeaderName, HeaderValue, StatusCode, header};
use sealed_records::TenantRecords;
use serde::Serialize;
use storage::{
    attachments::Attachment,
    inbound::find_window,
    messages::{self, Acceptance, Message, NewMessage},
    sender_numbers::SenderNumber,
};
use web::{IdempotencyKey, Problem, TraceContext};

use crate::{
    auth::LabKey,
    error::{ApiError, no_sender_number},
    gateway::{Gateway, Lab},
    metrics,
    report::{self, Report, StoredFile, Uploads},
};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

#[derive(Serialize)]
struct Accepted {
    success: bool,
    message_id: MessageId,
    status: MessageState,
    timestamp: DateTime<Utc>,
}

/// Takes a report to be sent. The answer is given once message and file are durable.
pub(super) async fn send_report(
    State(gateway): State<Arc<Gateway>>,
    key: LabKey,
    trace: TraceContext,
    idempotency_key: Option<IdempotencyKey>,
    request: Request,
) -> Result<Response, ApiError> {
    let lab = gateway.lab(key.lab).await?;
    let number = lab.number.as_ref().ok_or_else(no_sender_number)?;
    let uploads = Uploads {
        records: gateway.keys.tenant(key.lab).await?,
        lab: key.lab,
        gateway: Arc::clone(&gateway),
    };
    let limit_bytes = report::body_limit(gateway.max_file_bytes);
    let memory = gateway
        .memory
        .reserve(key.lab, request.headers(), limit_bytes);
    let _memory = memory.await;
    let incoming = report::read(request, &uploads).await?;
    let report = Report::check(incoming.fields, incoming.file.is_present(), &lab.tenant)?;
    let file = incoming.file.store(&uploads).await?;
    let draft = Draft {
        gateway: &gateway,
        number,
        records: &uploads.records,
        report: &report,
    };
    let message = draft.message(file.as_ref(), idempotency_key, trace)?;
    failpoints::reach("gateway.received");
    let media_type = file.as_ref().map(|file| file.stored.media_type);
    match check_reach(&draft, &lab, media_type).await {
        Ok(()) => settle(&gateway, message, file).await,
        Err(ApiError::Refused(problem)) => settle_unreachable(&gateway, message, problem).await,
        Err(error) => Err(error),
    }
}

/// What a message is made of.
struct Draft<'a> {
    gateway: &'a Gateway,
    number: &'a SenderNumber,
    records: &'a TenantRecords,
    report: &'a Report,
}

impl Draft<'_> {
    fn message(
        &self,
        file: Option<&StoredFile>,
        idempotency_key: Option<IdempotencyKey>,
        trace: TraceContext,
    ) -> Result<NewMessage, ApiError> {
        let Self {
            gateway,
            number,
            records,
            report,
        } = self;
        let now = gateway.now();
        let file_sha256 = file.map(|file| file.stored.sha256);
        Ok(NewMessage {
            message: Message {
                id: MessageId::new_at(now),
                tenant_id: number.tenant_id,
                sender_number_id: number.id,
                lane: Lane::Report,
                recipient: records.seal_recipient(&report.recipient),
                recipient_hash: records.contact_hash(report.recipient.digits()),
                content: records.seal_report(&report.content)?,
                attachment_id: file.map(|file| file.id),
                expires_at: now + gateway.message_lifetime,
                created_at: now,
            },
            attachment: file.map(|file| self.attachment(file, now)),
            idempotency_key: idempotency_key.map(|key| messages::IdempotencyKey {
                key: key.into_string(),
                fingerprint: keyed(records, report.fingerprint(file_sha256)),
            }),
            traceparent: Some(trace.traceparent),
        })
    }

    fn attachment(&self, file: &StoredFile, now: DateTime<Utc>) -> Attachment {
        let (report, stored) = (self.report, &file.stored);
        let filename = report::file_name(
            report.filename.as_deref(),
            report.content.test_name.as_deref(),
            stored.media_type,
        );
        Attachment {
            id: file.id,
            tenant_id: self.number.tenant_id,
            media_type: stored.media_type.as_mime().to_owned(),
            size_bytes: i64::try_from(stored.size_bytes).unwrap_or(i64::MAX),
            sha256: stored.sha256.to_vec(),
            filename: self.records.seal_filename(&filename),
            created_at: now,
        }
    }
}

/// A plain hash of a name and a phone number could be guessed.
fn keyed(records: &TenantRecords, fingerprint: [u8; 32]) -> Vec<u8> {
    records.contact_hash(&format!("request:{}", STANDARD.encode(fingerprint)))
}

/// Whether the report can be sent now: with a template at any time, freely while the patient's window is open.
async fn check_reach(
    draft: &Draft<'_>,
    lab: &Lab,
    media_type: Option<MediaType>,
) -> Result<(), ApiError> {
    let report = draft.report;
    let Err(no_template) = report::check_template(lab, &report.content, media_type) else {
        return Ok(());
    };
    let gateway = draft.gateway;
    let contact = draft.records.contact_hash(report.recipient.digits());
    let mut tx = gateway.database.begin_for(&[lab.tenant.id]).await?;
    match find_window(&mut tx, draft.number.id, &contact, gateway.now()).await? {
        Some(_) => Ok(()),
        None => Err(no_template.into()),
    }
}

/// A request that was accepted while the report could be sent stays accepted; any other one is refused.
async fn settle_unreachable(
    gateway: &Gateway,
    message: NewMessage,
    problem: Problem,
) -> Result<Response, ApiError> {
    if message.idempotency_key.is_none() {
        return Err(problem.into());
    }
    let mut tx = gateway
        .database
        .begin_for(&[message.message.tenant_id])
        .await?;
    // Rolled back when it is dropped: this only asks what became of the key.
    let answers = messages::accept(&mut tx, std::slice::from_ref(&message), gateway.now()).await?;
    match answers.first() {
        Some(Acceptance::Accepted) | None => Err(problem.into()),
        Some(earlier) => respond(*earlier, message.message.id, message.message.created_at),
    }
}

/// Stores the message and says what became of it. From here on the file is removed only if no message can have it.
async fn settle(
    gateway: &Gateway,
    message: NewMessage,
    mut file: Option<StoredFile>,
) -> Result<Response, ApiError> {
    let (id, created_at) = (message.message.id, message.message.created_at);
    if let Some(file) = &mut file {
        file.keep();
    }
    let result = gateway.acceptor.accept(message).await;
    if let Some(file) = file {
        match &result {
            Ok(Acceptance::Accepted) => {}
            Err(ApiError::InDoubt(_)) => file.leave_in_doubt(),
            Ok(_) | Err(_) => file.discard(),
        }
    }
    metrics::report(match &result {
        Ok(Acceptance::Accepted) => "accepted",
        Ok(Acceptance::Replayed { .. }) => "replayed",
        Ok(Acceptance::KeyReused) => "key_reused",
        Err(ApiError::InDoubt(_)) => "in_doubt",
        Err(_) => "not_stored",
    });
    respond(result?, id, created_at)
}

fn respond(
    acceptance: Acceptance,
    id: MessageId,
    now: DateTime<Utc>,
) -> Result<Response, ApiError> {
    match acceptance {
        Acceptance::Accepted => Ok(answer(id, now, false)),
        Acceptance::Replayed {
            message_id,
            created_at,
        } => Ok(answer(
            message_id,
            accepted_at(message_id, created_at),
            true,
        )),
        Acceptance::KeyReused => Err(key_reused().into()),
    }
}

/// The id tells when its message was accepted, to the millisecond.
fn accepted_at(id: MessageId, otherwise: DateTime<Utc>) -> DateTime<Utc> {
    let (seconds, nanos) = match id.as_uuid().get_timestamp() {
        Some(timestamp) => timestamp.to_unix(),
        None => return otherwise,
    };
    let seconds = i64::try_from(seconds).unwrap_or_default();
    DateTime::from_timestamp(seconds, nanos).unwrap_or(otherwise)
}

fn answer(message_id: MessageId, timestamp: DateTime<Utc>, replayed: bool) -> Response {
    let body = Accepted {
        success: true,
        message_id,
        status: MessageState::Queued,
        timestamp,
    };
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    let headers = response.headers_mut();
    let location = format!("/api/messages/{message_id}/status");
    let location = HeaderValue::try_from(location).expect("an id is ASCII");
    headers.insert(header::LOCATION, location);
    if replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "IDEMPOTENCY_KEY_REUSED",
        "The Idempotency-Key was used for another request",
    )
}
