//! What is about no message that a LIMS asked for.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::book::{Book, sent_message};
use crate::{
    callbacks::{Callback, Forged},
    ids::MessageId,
    ledgers::{Send, WorkRow},
    verdict::{Breach, Kind},
};

/// Every breach that is not one of a message that the LIMS had acknowledged.
pub(super) fn find(
    book: &Book<'_>,
    callbacks: &[Callback<'_>],
    forged: &[Forged<'_>],
) -> Vec<Breach> {
    let mut found = unasked(book);
    found.extend(
        forged
            .iter()
            .map(|Forged { id, why }| breach(Kind::CallbacksForged, (*id).to_owned(), why)),
    );
    found.extend(changed(callbacks));
    found.extend(about_nothing(book));
    found.extend(book.loose.work.iter().map(|work| left(work)));
    found
}

fn breach(kind: Kind, id: String, why: &str) -> Breach {
    Breach {
        kind,
        id,
        why: why.to_owned(),
        says: None,
    }
}

/// Messages of nobody: a second message for a request that has its own, or an invention.
fn unasked(book: &Book<'_>) -> Vec<Breach> {
    let rows: BTreeSet<MessageId> = book.loose.rows.iter().map(|row| row.message_id).collect();
    let sent: BTreeSet<MessageId> = book
        .loose
        .sends
        .iter()
        .filter_map(|it| sent_message(it))
        .collect();
    let mut found: Vec<Breach> = rows
        .union(&sent)
        .map(|id| {
            let why = match (rows.contains(id), sent.contains(id)) {
                (true, true) => "it is in the database and was sent, and no LIMS asked for it",
                (true, false) => "it is in the database, and no LIMS asked for it",
                _ => "the provider accepted it; no LIMS asked for it, and the database does not know it",
            };
            breach(Kind::Unasked, id.to_string(), why)
        })
        .collect();
    let nameless = book
        .loose
        .sends
        .iter()
        .filter(|it| sent_message(it).is_none());
    found.extend(nameless.map(|send| nameless_send(send)));
    found
}

fn nameless_send(send: &Send) -> Breach {
    let id = send.opaque.as_deref().unwrap_or("no id");
    breach(
        Kind::Unasked,
        id.to_owned(),
        "the provider accepted a send that names no message of ours",
    )
}

/// The same callback must say the same thing each time.
fn changed(callbacks: &[Callback<'_>]) -> Vec<Breach> {
    let mut bodies: HashMap<&str, &str> = HashMap::with_capacity(callbacks.len());
    let mut ids = BTreeSet::new();
    for callback in callbacks {
        if *bodies.entry(callback.id).or_insert(callback.body) != callback.body {
            ids.insert(callback.id);
        }
    }
    let why = "it came again under the same id with another body";
    ids.into_iter()
        .map(|id| breach(Kind::CallbacksWrong, id.to_owned(), why))
        .collect()
}

fn about_nothing(book: &Book<'_>) -> Vec<Breach> {
    let rows: HashSet<MessageId> = book.loose.rows.iter().map(|row| row.message_id).collect();
    let callbacks = book.loose.callbacks.iter();
    callbacks
        .filter(|it| it.message_id.is_some_and(|id| !rows.contains(&id)))
        .map(|it| {
            breach(
                Kind::CallbacksWrong,
                it.id.to_owned(),
                "it is about a message that the database does not know",
            )
        })
        .collect()
}

fn left(work: &WorkRow) -> Breach {
    let why = format!("{} work is left: it is {}", work.kind, work.state);
    breach(Kind::Unresolved, work.subject.to_string(), &why)
}
