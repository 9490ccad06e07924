use std::collections::HashMap;

use convergence::{Entry, Learned, learn};
use domain::{ErrorClass, EventId, FailureCause, MessageId, ReportedStatus, StatusReport};
use providers::meta::{
    classify_status_error,
    webhook::{Item, Status, StatusError, StatusKind},
};
use serde_json::json;
use storage::{
    Connection,
    inbound::{insert_unmatched, lock_wamids},
    messages::list_ids_by_wamid,
};

use crate::{handler::Batch, metrics};

/// Applies all statuses of a batch. A status finds its message by the id of ours that it echoes, or by the provider's id;
/// one that finds none waits for the send to be recorded.
pub(crate) async fn apply(connection: &mut Connection, batch: &Batch) -> storage::Result<()> {
    let statuses: Vec<(EventId, &Status)> = batch
        .items
        .iter()
        .filter_map(|(id, item)| status(*id, item))
        .collect();
    let by_wamid: Vec<String> = statuses
        .iter()
        .filter(|(_, status)| message_id(status).is_none())
        .map(|(_, status)| status.wamid.clone())
        .collect();
    lock_wamids(connection, &by_wamid).await?;
    let known: HashMap<String, MessageId> = list_ids_by_wamid(connection, &by_wamid)
        .await?
        .into_iter()
        .collect();
    let mut learned = Vec::with_capacity(statuses.len());
    let mut early = Vec::new();
    for (event, status) in statuses {
        let Some(number) = batch.numbers.get(&status.phone_number_id) else {
            metrics::item("status_of_unknown_number");
            continue;
        };
        let Some(report) = report(status) else {
            metrics::item("unknown_status");
            continue;
        };
        let Some(message_id) = message_id(status).or_else(|| known.get(&status.wamid).copied())
        else {
            metrics::item("early_status");
            early.push((status.wamid.clone(), report));
            continue;
        };
        metrics::item("status");
        let code = report.cause.as_ref().and_then(|cause| cause.code);
        let detail = json!({ "status": report.status.as_str(), "event_id": event, "code": code });
        learned.push(Learned {
            // What another tenant's app says of this message is not believed.
            owner: Some(number.tenant_id),
            reported_wamid: Some(status.wamid.clone()),
            entries: vec![Entry {
                at: report.at,
                kind: "status",
                detail,
            }],
            reports: vec![report],
            ..Learned::about(message_id)
        });
    }
    insert_unmatched(connection, &early, batch.now).await?;
    learn(connection, learned, batch.now).await?;
    Ok(())
}

fn status(event: EventId, item: &Item) -> Option<(EventId, &Status)> {
    match item {
        Item::Status(status) => Some((event, status)),
        _ => None,
    }
}

fn message_id(status: &Status) -> Option<MessageId> {
    status.opaque.as_deref()?.parse().ok()
}

fn report(status: &Status) -> Option<StatusReport> {
    let reported = match &status.status {
        StatusKind::Sent => ReportedStatus::Sent,
        StatusKind::Delivered => ReportedStatus::Delivered,
        // A voice message that was played was read, too.
        StatusKind::Read | StatusKind::Played => ReportedStatus::Read,
        StatusKind::Failed => ReportedStatus::Failed,
        StatusKind::Unknown(_) => return None,
    };
    let cause = (reported == ReportedStatus::Failed).then(|| cause(status.errors.first()));
    Some(StatusReport {
        status: reported,
        at: status.at,
        cause,
    })
}

/// The provider's own words may name the patient; ours do not.
fn cause(error: Option<&StatusError>) -> FailureCause {
    let Some(error) = error else {
        return FailureCause {
            code: None,
            class: ErrorClass::Permanent,
            detail: "the provider gave no reason".to_owned(),
        };
    };
    let classified = classify_status_error(error);
    FailureCause {
        code: Some(error.code),
        class: classified.class,
        detail: classified.meaning.to_owned(),
    }
}
