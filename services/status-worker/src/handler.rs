use std::collections::HashMap;

use chrono::{DateTime, Utc};
use dispatch::{Begin, Claim, FlowLimits, Handler, Outcome};
use domain::{EventId, FlowId, RetrySchedule, TenantId, WorkKind};
use providers::meta::webhook::{self, Item};
use sealed_records::{DataKeys, PlatformRecords};
use storage::{
    Connection, Database,
    events::list_events,
    sender_numbers::{SenderNumber, list_by_phone_number_ids},
};

use crate::{inbound, metrics, statuses, templates};

/// Events at work at a time in one flow: no rate, they only must not hold everything.
const WINDOW: u32 = 512;

/// What `event` work means.
pub struct EventHandler {
    keys: DataKeys,
}

impl EventHandler {
    pub fn new(keys: DataKeys) -> Self {
        metrics::describe();
        Self { keys }
    }
}

/// The items of a batch of events, and the numbers they are about.
pub(crate) struct Batch {
    pub(crate) items: Vec<(EventId, Item)>,
    pub(crate) numbers: HashMap<String, SenderNumber>,
    pub(crate) now: DateTime<Utc>,
}

/// What is to be done with an event.
pub enum Reading {
    /// Open it with these.
    With(PlatformRecords),
    /// Nothing opens it at the moment.
    Closed(sealed_records::Error),
    /// Its worker was lost.
    Lost,
}

impl Handler for EventHandler {
    type Store = Database;
    type Prepared = ();
    type Effect = Reading;

    fn kind(&self) -> WorkKind {
        WorkKind::Event
    }

    async fn limits(&self, flows: &[FlowId]) -> storage::Result<HashMap<FlowId, FlowLimits>> {
        let limits = FlowLimits {
            rate: None,
            window: WINDOW,
            pair: None,
            scopes: Vec::new(),
        };
        Ok(flows.iter().map(|flow| (*flow, limits.clone())).collect())
    }

    /// All of it is recording: events are read and applied in batches, in one transaction.
    async fn prepare(&self, claims: &[Claim]) -> Vec<()> {
        vec![(); claims.len()]
    }

    async fn act(&self, _: &Claim, (): (), _: Begin<'_>) -> Reading {
        match self.keys.platform().await {
            Ok(records) => Reading::With(records),
            Err(error) => Reading::Closed(error),
        }
    }

    async fn abandoned(&self, _: &Claim) -> Reading {
        Reading::Lost
    }

    async fn record(
        &self,
        connection: &mut Connection,
        effects: &[(Claim, Reading)],
        now: DateTime<Utc>,
    ) -> storage::Result<Vec<Outcome>> {
        let (mut items, speakers, outcomes) = read(connection, effects).await?;
        let ids: Vec<String> = items
            .iter()
            .filter_map(|(_, item)| phone_number_id(item))
            .map(str::to_owned)
            .collect();
        let numbers = list_by_phone_number_ids(connection, &ids).await?;
        let numbers: HashMap<String, SenderNumber> = numbers
            .into_iter()
            .map(|number| (number.phone_number_id.clone(), number))
            .collect();
        items.retain(|(event, item)| may_speak(speakers.get(event).copied(), item, &numbers));
        let batch = Batch {
            items,
            numbers,
            now,
        };
        count_the_rest(&batch);
        statuses::apply(connection, &batch).await?;
        inbound::store(connection, &batch, &self.keys).await?;
        templates::resume(connection, &batch).await?;
        Ok(outcomes)
    }
}

/// The tenants whose own apps sent events.
type Speakers = HashMap<EventId, TenantId>;

/// A tenant's own app is believed about that tenant's numbers only: who knows its secret must not speak for others.
fn may_speak(
    tenant: Option<TenantId>,
    item: &Item,
    numbers: &HashMap<String, SenderNumber>,
) -> bool {
    let Some(tenant) = tenant else { return true };
    let number = phone_number_id(item).and_then(|id| numbers.get(id));
    let may = number.is_some_and(|number| number.tenant_id == tenant);
    if !may {
        metrics::item("not_of_this_app");
    }
    may
}

/// Opens and splits the events; one that cannot be read does not keep the others.
async fn read(
    connection: &mut Connection,
    effects: &[(Claim, Reading)],
) -> storage::Result<(Vec<(EventId, Item)>, Speakers, Vec<Outcome>)> {
    let ids: Vec<EventId> = effects
        .iter()
        .map(|(claim, _)| EventId::from_uuid(claim.subject))
        .collect();
    let events: HashMap<EventId, _> = list_events(connection, &ids)
        .await?
        .into_iter()
        .map(|event| (event.id, event))
        .collect();
    let mut items = Vec::new();
    let mut outcomes = Vec::with_capacity(effects.len());
    for ((claim, reading), id) in effects.iter().zip(ids) {
        let Some(event) = events.get(&id) else {
            outcomes.push(Outcome::Dead {
                reason: "the event is no longer stored".to_owned(),
            });
            continue;
        };
        let records = match reading {
            Reading::With(records) => records,
            Reading::Closed(error) => {
                outcomes.push(unopened(claim, error));
                continue;
            }
            Reading::Lost => {
                outcomes.push(lost(claim));
                continue;
            }
        };
        match open(records, &event.body) {
            Ok(found) => {
                items.extend(found.into_iter().map(|item| (id, item)));
                outcomes.push(Outcome::Done);
            }
            Err(reason) => {
                tracing::error!(event.id = %id, work.id = %claim.id, reason, "an event could not be read");
                outcomes.push(Outcome::Dead { reason });
            }
        }
    }
    let speakers = events.values();
    let speakers = speakers.filter_map(|event| Some((event.id, event.app_tenant?)));
    Ok((items, speakers.collect(), outcomes))
}

fn open(records: &PlatformRecords, sealed: &[u8]) -> Result<Vec<Item>, String> {
    let body = records
        .open_event_body(sealed)
        .map_err(|error| error.to_string())?;
    failpoints::look_at("poison.event", &body);
    webhook::parse(&body).map_err(|error| error.to_string())
}

/// Perhaps because of this event, so not for ever; and not at once, so that its neighbours get by.
fn lost(claim: &Claim) -> Outcome {
    if claim.losses.too_many() {
        return Outcome::Dead {
            reason: "given up: again and again its worker was lost while reading it".to_owned(),
        };
    }
    let delay = RetrySchedule::events().delay(claim.losses.pause(), 0.5);
    Outcome::Retry {
        after: delay.unwrap_or_default(),
        failed: false,
        reason: "its worker was lost while it read this".to_owned(),
    }
}

/// A key that cannot be had is no fault of the event: it waits, and is given up only when that lasts for hours.
fn unopened(claim: &Claim, error: &sealed_records::Error) -> Outcome {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        work.id = %claim.id,
        "an event could not be opened for now"
    );
    let attempt = u32::try_from(claim.failures)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let reason = error.to_string();
    match RetrySchedule::events().delay(attempt, 0.5) {
        Some(after) => Outcome::Retry {
            after,
            failed: !error.is_unavailable(),
            reason,
        },
        None => Outcome::Dead { reason },
    }
}

/// What nothing here is done about.
fn count_the_rest(batch: &Batch) {
    for (event, item) in &batch.items {
        match item {
            Item::Status(_) | Item::Inbound(_) | Item::Account(_) => {}
            Item::Errors(errors) => {
                let codes: Vec<i64> = errors.errors.iter().map(|error| error.code).collect();
                tracing::warn!(event.id = %event, ?codes, "the provider reports errors of a number");
                metrics::item("errors");
            }
            Item::Unknown { .. } => metrics::item("unknown"),
            Item::Malformed { pointer } => {
                tracing::warn!(event.id = %event, pointer, "a part of an event could not be read");
                metrics::item("malformed");
            }
        }
    }
}

fn phone_number_id(item: &Item) -> Option<&str> {
    match item {
        Item::Status(status) => Some(&status.phone_number_id),
        Item::Inbound(inbound) => Some(&inbound.phone_number_id),
        _ => None,
    }
}
