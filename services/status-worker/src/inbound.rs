use std::time::Duration;

use contracts::{InboundKind, InboundReceived};
use convergence::announce_inbound;
use domain::InboundMessageId;
use providers::meta::webhook::{Inbound, Item};
use sealed_records::{DataKeys, InboundContent, TenantRecords};
use storage::{
    Connection,
    inbound::{NewInbound, Window, insert_inbound, open_window},
    sender_numbers::SenderNumber,
};

use crate::{handler::Batch, metrics};

/// A patient's message allows free-form answers for this long (WhatsApp's customer service window).
const WINDOW: Duration = Duration::from_hours(24);

/// Stores what patients wrote, opens their windows, and tells the tenants.
pub(crate) async fn store(
    connection: &mut Connection,
    batch: &Batch,
    keys: &DataKeys,
) -> storage::Result<()> {
    let writers = batch.items.iter().filter_map(|(_, item)| match item {
        Item::Inbound(inbound) => batch.numbers.get(&inbound.phone_number_id),
        _ => None,
    });
    keys.expect(writers.map(|number| number.tenant_id)).await;
    let mut received = Vec::new();
    for (_, item) in &batch.items {
        let Item::Inbound(inbound) = item else {
            continue;
        };
        let Some(number) = batch.numbers.get(&inbound.phone_number_id) else {
            metrics::item("inbound_of_unknown_number");
            continue;
        };
        let records = match keys.tenant(number.tenant_id).await {
            Ok(records) => records,
            Err(sealed_records::Error::Storage(error)) => return Err(error),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, tenant.id = %number.tenant_id, "an inbound message could not be sealed");
                // The event is tried again, and in the end lies where people see it: what a patient wrote is not dropped.
                return Err(storage::Error::Unreadable {
                    column: "data_keys.wrapped",
                });
            }
        };
        metrics::item("inbound");
        received.extend(store_one(connection, batch, (inbound, number, &records)).await?);
    }
    announce_inbound(connection, received, batch.now).await
}

async fn store_one(
    connection: &mut Connection,
    batch: &Batch,
    (inbound, number, records): (&Inbound, &SenderNumber, &TenantRecords),
) -> storage::Result<Option<InboundReceived>> {
    // Since usernames, a patient may write without showing a phone number.
    let Some(contact) = inbound.from.as_deref().or(inbound.from_user_id.as_deref()) else {
        return Ok(None);
    };
    let contact_hash = records.contact_hash(contact);
    let content = InboundContent {
        from: inbound.from.clone(),
        from_user_id: inbound.from_user_id.clone(),
        profile_name: inbound.profile_name.clone(),
        text: inbound.text.clone(),
        raw: inbound.raw.clone(),
    };
    let Ok(content) = records.seal_inbound(&content) else {
        return Ok(None);
    };
    let id = InboundMessageId::new_at(batch.now);
    let new = NewInbound {
        id,
        tenant_id: number.tenant_id,
        sender_number_id: number.id,
        wamid: inbound.wamid.clone(),
        kind: inbound.kind.clone(),
        contact_hash: contact_hash.clone(),
        content,
        sent_at: inbound.at,
        received_at: batch.now,
    };
    if !insert_inbound(connection, &new).await? {
        return Ok(None);
    }
    let window = Window {
        sender_number_id: number.id,
        contact_hash,
        tenant_id: number.tenant_id,
        // From the patient's own time, but a clock that is far ahead opens nothing for longer.
        expires_at: inbound.at.min(batch.now) + WINDOW,
    };
    open_window(connection, &window).await?;
    let kind =
        serde_json::from_value(inbound.kind.clone().into()).unwrap_or(InboundKind::Unsupported);
    Ok(Some(InboundReceived {
        lab_id: number.tenant_id,
        inbound_id: id,
        kind,
        occurred_at: inbound.at,
    }))
}
