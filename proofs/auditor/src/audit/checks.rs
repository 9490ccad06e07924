//! What every message is held to: each says what is wrong, if something is.

use super::{
    case::Case,
    evidence::{Evidence, leave_to_resend},
};
use crate::{
    callbacks::Callback,
    ledgers::{Decision, DeliveryRow, Expectation, MessageRow, ProviderStatus, Send, State},
};

pub(super) fn lost(case: &Case<'_>) -> Option<String> {
    if let Some(other) = case.shared_with {
        let key = &other.key;
        return Some(format!(
            "it was acknowledged for another report, too, with the key {key}"
        ));
    }
    let Some(row) = case.row else {
        return Some("it is not in the database".to_owned());
    };
    if !row.has_content {
        return Some("the database has its state, but not its content".to_owned());
    }
    if !case.sends.is_empty() {
        return None;
    }
    match row.state {
        State::Failed | State::Expired | State::Cancelled => None,
        State::Sent if case.decided(Decision::Sent) > 0 => None,
        state => Some(format!("it is {state}, and the provider never accepted it")),
    }
}

pub(super) fn duplicated(case: &Case<'_>) -> Option<String> {
    if let Some(twin) = case.twin {
        return Some(format!("its request was acknowledged as {twin} before"));
    }
    let counted = case
        .row
        .map_or(0, |row| usize::try_from(row.resends).unwrap_or(0));
    let leave = leave_to_resend(case);
    let sends = case.sends.len();
    if sends > 1 + counted.min(leave) {
        return Some(format!(
            "the provider accepted it {sends} times, with {counted} resends counted"
        ));
    }
    if counted > leave {
        return Some(format!(
            "{counted} resends are counted, and leave was given for {leave}"
        ));
    }
    None
}

pub(super) fn misdirected(case: &Case<'_>) -> Option<String> {
    if let Some(row) = case.row.filter(|row| row.lab_id != case.lab.lab_id) {
        return Some(format!(
            "the database has it as a message of {}",
            row.lab_id
        ));
    }
    case.sends.iter().find_map(|send| astray(case, send))
}

/// No phone is named: reports of runs are passed around.
fn astray(case: &Case<'_>, send: &Send) -> Option<String> {
    let ours = &case.lab.phone_number_id;
    let digits = |phone: &str| -> String { phone.chars().filter(char::is_ascii_digit).collect() };
    if digits(&send.to) != digits(&case.posted.phone) {
        return Some("it went to another phone than the LIMS gave".to_owned());
    }
    if send.phone_number_id != *ours {
        let other = &send.phone_number_id;
        return Some(format!(
            "it went from the number {other}; the lab's is {ours}"
        ));
    }
    match &send.media_sha256 {
        Some(file) if file.eq_ignore_ascii_case(&case.posted.sha256) => None,
        Some(_) => Some("it went with another file than the LIMS gave".to_owned()),
        None => Some("it went without its file".to_owned()),
    }
}

pub(super) fn unresolved(case: &Case<'_>) -> Option<String> {
    let state = case.state()?;
    if state.is_open() {
        return Some(format!("it is still {state}"));
    }
    if let Some(told) = Evidence::of(case).and_then(|it| it.goes_beyond(state)) {
        return Some(format!(
            "it is still {state}, and the provider told that it was {told}"
        ));
    }
    let work = case.work.first()?;
    Some(format!("{} work is left", work.kind))
}

pub(super) fn wrong_state(case: &Case<'_>) -> Option<String> {
    let row = case.row?;
    let state = row.state;
    if state == State::Failed && !has_cause(row) {
        return Some("it failed without a cause".to_owned());
    }
    let Some(evidence) = Evidence::of(case) else {
        // What was never accepted and yet is said to be sent is lost, or an operator's word.
        let is_sent = matches!(state, State::Sent | State::Delivered | State::Read);
        return if is_sent {
            None
        } else {
            unexpected(case, state)
        };
    };
    if state.is_open() || evidence.goes_beyond(state).is_some() {
        return None;
    }
    if !evidence.allows(state) {
        let implied = evidence.implies();
        return Some(format!(
            "it is {state}, and the provider's statuses imply {implied}"
        ));
    }
    unexpected(case, state)
}

fn has_cause(row: &MessageRow) -> bool {
    let is_given = |text: &Option<String>| text.as_ref().is_some_and(|it| !it.is_empty());
    is_given(&row.failure_class) && is_given(&row.failure_detail)
}

fn unexpected(case: &Case<'_>, state: State) -> Option<String> {
    let expected = case.posted.expect;
    let is_expected = match expected {
        Expectation::Any => true,
        Expectation::Delivered => {
            let by_word = state == State::Sent && case.decided(Decision::Sent) > 0;
            by_word || matches!(state, State::Delivered | State::Read)
        }
        Expectation::Failed => state == State::Failed,
    };
    (!is_expected && !state.is_open())
        .then(|| format!("it is {state}, and {expected} was expected"))
}

pub(super) fn callbacks_missing(case: &Case<'_>) -> Option<String> {
    let state = case.state()?;
    let mut callbacks = case.callbacks.iter();
    let is_told = callbacks
        .any(|it| it.lab_id == case.lab.lab_id && it.state.as_deref() == Some(state.as_str()));
    if !state.is_open() && !is_told {
        return Some(format!("the LIMS was not told that it is {state}"));
    }
    case.deliveries
        .iter()
        .find_map(|delivery| undelivered(case, delivery))
}

/// A callback that the database lost, or counts as delivered though nobody got it.
fn undelivered(case: &Case<'_>, delivery: &DeliveryRow) -> Option<String> {
    let id = delivery.id;
    if delivery.was_delivered {
        let has_come = case.callbacks.iter().any(|it| it.delivery == Some(id));
        return (!has_come)
            .then(|| format!("{id} counts as delivered, and the receiver never got it"));
    }
    let is_known = case.work.iter().any(|it| it.subject == id.0)
        || case.dead_letters.iter().any(|it| it.subject == id.0);
    (!is_known).then(|| format!("{id} is neither delivered, nor waiting, nor given up"))
}

pub(super) fn callbacks_wrong(case: &Case<'_>) -> Option<String> {
    let row = case.row?;
    case.callbacks
        .iter()
        .find_map(|callback| untrue(case, row, callback))
}

fn untrue(case: &Case<'_>, row: &MessageRow, callback: &Callback<'_>) -> Option<String> {
    let Callback {
        id, lab_id, r#type, ..
    } = callback;
    if *lab_id != case.lab.lab_id {
        return Some(format!("{id} told {lab_id} of it"));
    }
    let state = callback.state.as_deref().unwrap_or("nothing");
    if *r#type != format!("message.{state}") {
        return Some(format!("{id} is a {type} and says that it is {state}"));
    }
    if !State::named(state).is_some_and(|state| was(case, row, state)) {
        return Some(format!("{id} said that it was {state}, which it never was"));
    }
    None
}

/// Whether the database knows of the message having been in this state.
fn was(case: &Case<'_>, row: &MessageRow, state: State) -> bool {
    let is_marked = match state {
        State::Sent => row.was_sent,
        State::Delivered => row.was_delivered,
        State::Read => row.was_read,
        State::Failed => row.was_failed,
        State::Unconfirmed => row.was_unconfirmed,
        State::Queued | State::Expired | State::Cancelled => false,
    };
    is_marked
        || row.state == state
        || case.timeline.iter().any(|entry| {
            let told = [
                Some(&*entry.kind),
                entry.result.as_deref(),
                entry.status.as_deref(),
            ];
            entry.kind != "callback" && told.contains(&Some(state.as_str()))
        })
}

pub(super) fn unexplained(case: &Case<'_>) -> Option<String> {
    let row = case.row?;
    let of_kind = |kind| case.timeline.iter().filter(move |entry| entry.kind == kind);
    if of_kind("accepted").next().is_none() {
        return Some("its timeline does not tell that it was accepted".to_owned());
    }
    let attempts = usize::try_from(row.attempts)
        .unwrap_or(0)
        .max(case.sends.len());
    let told = of_kind("attempt").count();
    if told < attempts {
        return Some(format!(
            "its timeline tells of {told} attempts of {attempts}"
        ));
    }
    let mut reported = case
        .sends
        .iter()
        .flat_map(|send| &send.fate)
        .filter(|it| it.told);
    let untold = reported.find(|it| {
        !of_kind("status").any(|entry| entry.status.as_deref() == Some(it.status.as_str()))
    });
    if let Some(ProviderStatus { status, .. }) = untold {
        return Some(format!(
            "its timeline does not tell that the provider reported {status}"
        ));
    }
    let mut delivered = case.deliveries.iter().filter(|it| it.was_delivered);
    let untold = delivered.find(|delivery| {
        let id = delivery.id.to_string();
        !of_kind("callback").any(|entry| entry.delivery_id.as_ref() == Some(&id))
    });
    untold.map(|delivery| format!("its timeline does not tell of {}", delivery.id))
}
