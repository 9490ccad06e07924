use std::collections::HashMap;

use uuid::Uuid;

use super::case::Case;
use crate::{
    callbacks::Callback,
    ids::{DeliveryId, LabId, MessageId},
    ledgers::{Answer, Lab, Ledgers, MessageRow, Posted, Rows, Send, WorkRow},
};

/// The ledgers, sorted by message.
pub(super) struct Book<'a> {
    /// In the order in which the LIMS had them acknowledged.
    pub(super) cases: Vec<Case<'a>>,
    places: HashMap<MessageId, usize>,
    pub(super) loose: LooseEnds<'a>,
}

/// What is about no message that the LIMS asked for.
#[derive(Default)]
pub(super) struct LooseEnds<'a> {
    pub(super) sends: Vec<&'a Send>,
    pub(super) callbacks: Vec<&'a Callback<'a>>,
    pub(super) rows: Vec<&'a MessageRow>,
    pub(super) work: Vec<&'a WorkRow>,
}

impl<'a> Book<'a> {
    pub(super) fn new(ledgers: &'a Ledgers, callbacks: &'a [Callback<'a>]) -> Self {
        let mut book = Self {
            cases: Vec::with_capacity(ledgers.lims.len()),
            places: HashMap::with_capacity(ledgers.lims.len()),
            loose: LooseEnds::default(),
        };
        book.open_cases(ledgers);
        book.add_outside(ledgers, callbacks);
        book.add_rows(&ledgers.database);
        book
    }

    fn open_cases(&mut self, ledgers: &'a Ledgers) {
        let labs: HashMap<LabId, &Lab> =
            ledgers.run.labs.iter().map(|it| (it.lab_id, it)).collect();
        let mut answers: HashMap<(LabId, &str), MessageId> = HashMap::new();
        for posted in &ledgers.lims {
            if let Answer::Acknowledged {
                message_id,
                acked_at,
            } = posted.answer
                && let Some(lab) = labs.get(&posted.lab_id)
            {
                let first = *answers.entry(name(posted)).or_insert(message_id);
                let case = self.open(message_id, posted, lab);
                case.was_alive_at(posted.posted_at);
                case.was_alive_at(acked_at);
                case.twin = Some(first).filter(|first| *first != message_id);
            }
        }
        let keys = ledgers.database.keys.iter();
        let stored: HashMap<(LabId, &str), MessageId> = keys
            .map(|row| ((row.lab_id, &*row.key), row.message_id))
            .collect();
        // A post that was never answered may have been taken all the same: then its message is owed all that others are.
        for posted in &ledgers.lims {
            if posted.answer == Answer::GaveUp
                && !answers.contains_key(&name(posted))
                && let Some(message_id) = stored.get(&name(posted))
                && let Some(lab) = labs.get(&posted.lab_id)
            {
                self.open(*message_id, posted, lab);
            }
        }
    }

    fn open(&mut self, message_id: MessageId, posted: &'a Posted, lab: &'a Lab) -> &mut Case<'a> {
        let end = self.cases.len();
        let place = *self.places.entry(message_id).or_insert(end);
        if place == end {
            self.cases.push(Case::new(message_id, posted, lab));
        }
        let case = self
            .cases
            .get_mut(place)
            .expect("places are those of cases");
        if name(case.posted) != name(posted) {
            case.shared_with = Some(posted);
        }
        case
    }

    fn case(&mut self, message_id: MessageId) -> Option<&mut Case<'a>> {
        self.places
            .get(&message_id)
            .and_then(|place| self.cases.get_mut(*place))
    }

    /// What others than the database say.
    fn add_outside(&mut self, ledgers: &'a Ledgers, callbacks: &'a [Callback<'a>]) {
        for send in &ledgers.provider {
            match sent_message(send).and_then(|id| self.case(id)) {
                Some(case) => {
                    case.was_alive_at(send.at);
                    case.sends.push(send);
                }
                None => self.loose.sends.push(send),
            }
        }
        for callback in callbacks {
            let Some(message_id) = callback.message_id else {
                continue;
            };
            match self.case(message_id) {
                Some(case) => {
                    case.was_alive_at(callback.at);
                    case.callbacks.push(callback);
                }
                None => self.loose.callbacks.push(callback),
            }
        }
        for decision in &ledgers.operator {
            if let Some(case) = self.case(decision.message_id) {
                case.decisions.push(decision);
            }
        }
    }

    fn add_rows(&mut self, rows: &'a Rows) {
        for row in &rows.messages {
            match self.case(row.message_id) {
                Some(case) => case.row = Some(row),
                None => self.loose.rows.push(row),
            }
        }
        for entry in &rows.timeline {
            if let Some(case) = self.case(entry.message_id) {
                case.timeline.push(entry);
            }
        }
        let mut delivered: HashMap<DeliveryId, MessageId> = HashMap::new();
        for delivery in &rows.deliveries {
            if let Some(message_id) = delivery.message_id
                && let Some(case) = self.case(message_id)
            {
                case.deliveries.push(delivery);
                delivered.insert(delivery.id, message_id);
            }
        }
        // Work is about a message, or about a callback about one.
        let message_of = |subject: Uuid| {
            let delivered = delivered.get(&DeliveryId(subject));
            delivered.copied().unwrap_or(MessageId(subject))
        };
        for work in &rows.work {
            match self.case(message_of(work.subject)) {
                Some(case) => case.work.push(work),
                None => self.loose.work.push(work),
            }
        }
        for dead in &rows.dead_letters {
            if let Some(case) = self.case(message_of(dead.subject)) {
                case.dead_letters.push(dead);
            }
        }
    }
}

/// The message that a send says it is.
pub(super) fn sent_message(send: &Send) -> Option<MessageId> {
    send.opaque.as_deref()?.parse().ok()
}

/// A key is a name that a lab gives: another lab may give the same one.
fn name(posted: &Posted) -> (LabId, &str) {
    (posted.lab_id, &posted.key)
}
