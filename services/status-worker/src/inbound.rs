use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::{InboundKind, InboundReceived};
use convergence::announce_inbound;
use domain::{InboundMessageId, TenantId};
use providers::meta::webhook::{Inbound, Item};
use sealed_records::{DataKeys, InboundContent, TenantRecords};
use storage::{
    Connection,
    inbound::{NewInbound, Window, insert_inbound, open_windows},
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
    let mut inbound = Vec::new();
    for (_, item) in &batch.items {
        let Item::Inbound(item) = item else {
            continue;
        };
        match batch.numbers.get(&item.phone_number_id) {
            Some(number) => inbound.push((item, number)),
            None => metrics::item("inbound_of_unknown_number"),
        }
    }
    keys.expect(inbound.iter().map(|(_, number)| number.tenant_id))
        .await;
    let mut written = Vec::with_capacity(inbound.len());
    for (item, number) in inbound {
        let records = records(keys, number.tenant_id).await?;
        metrics::item("inbound");
        written.extend(seal(item, number, &records, batch.now));
    }
    let stored = insert_inbound(connection, &written).await?;
    // What came a second time opens nothing and is not told again.
    written.retain(|it| stored.contains(&it.id));
    let windows: Vec<Window> = written.iter().map(window).collect();
    open_windows(connection, &windows).await?;
    let received = written.iter().map(received).collect();
    announce_inbound(connection, received, batch.now).await
}

async fn records(keys: &DataKeys, tenant: TenantId) -> storage::Result<TenantRecords> {
    match keys.tenant(tenant).await {
        Ok(records) => Ok(records),
        Err(sealed_records::Error::Storage(error)) => Err(error),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, tenant.id = %tenant, "an inbound message could not be sealed");
            // The event is tried again, and in the end lies where people see it: what a patient wrote is not dropped.
            Err(storage::Error::Unreadable {
                column: "data_keys.wrapped",
            })
        }
    }
}

fn seal(
    inbound: &Inbound,
    number: &SenderNumber,
    records: &TenantRecords,
    now: DateTime<Utc>,
) -> Option<NewInbound> {
    // Since usernames, a patient may write without showing a phone number.
    let contact = inbound
        .from
        .as_deref()
        .or(inbound.from_user_id.as_deref())?;
    let content = InboundContent {
        from: inbound.from.clone(),
        from_user_id: inbound.from_user_id.clone(),
        profile_name: inbound.profile_name.clone(),
        text: inbound.text.clone(),
        raw: inbound.raw.clone(),
    };
    Some(NewInbound {
        id: InboundMessageId::new_at(now),
        tenant_id: number.tenant_id,
        sender_number_id: number.id,
        wamid: inbound.wamid.clone(),
        kind: inbound.kind.clone(),
        contact_hash: records.contact_hash(contact),
        content: records.seal_inbound(&content).ok()?,
        sent_at: inbound.at,
        received_at: now,
    })
}

fn window(new: &NewInbound) -> Window {
    Window {
        sender_number_id: new.sender_number_id,
        contact_hash: new.contact_hash.clone(),
        tenant_id: new.tenant_id,
        // From the patient's own time, but a clock that is far ahead opens nothing for longer.
        expires_at: new.sent_at.min(new.received_at) + WINDOW,
    }
}

fn received(new: &NewInbound) -> InboundReceived {
    let kind = serde_json::from_value(new.kind.clone().into());
    InboundReceived {
        lab_id: new.tenant_id,
        inbound_id: new.id,
        kind: kind.unwrap_or(InboundKind::Unsupported),
        occurred_at: new.sent_at,
    }
}
