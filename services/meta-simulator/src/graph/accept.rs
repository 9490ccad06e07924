use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Call,
    checks::{self, Addressee},
};
use crate::{
    delivery::Delivery,
    errors::GraphError,
    json::Fields,
    ledger::Entry,
    seed::MESSAGING,
    validate::{self, Command, Content, Outbound},
    world::{ChatKey, Message, NumberRecord, World, wamid},
};

/// A typing indicator ends by itself.
const TYPING: Duration = Duration::from_secs(25);

/// What became of a call that was not refused.
pub(super) enum Accepted {
    Read,
    Message {
        delivery: Box<Delivery>,
        answer: Value,
        link: Option<String>,
    },
}

/// How a message came in.
#[derive(Clone, Copy)]
pub(super) struct Mode {
    /// By the endpoint for marketing messages.
    pub(super) marketing: bool,
    /// Its template is being held for quality.
    pub(super) held: bool,
}

/// Decides about a message under one lock: after it, the message is in the ledger or was never there.
pub(super) fn accept(
    call: &Call,
    id: &str,
    body: &Value,
    mode: Mode,
) -> Result<Accepted, GraphError> {
    let now = call.engine.now();
    let mut world = call.engine.world();
    let number = call.number(&world, id, MESSAGING)?;
    if let Some(code) = number.state.refusal() {
        return Err(GraphError::new(code));
    }
    if !world.pace.take_number(id, number.throughput, now) {
        return Err(GraphError::new(130_429));
    }
    match validate::command(body, now)? {
        Command::MarkRead { message_id, typing } => {
            mark_read(&mut world, id, &message_id, typing.then_some(now + TYPING))
        }
        Command::Send(outbound) => send(call, &mut world, &number, mode, *outbound),
    }
}

fn mark_read(
    world: &mut World,
    number: &str,
    message_id: &str,
    typing_until: Option<DateTime<Utc>>,
) -> Result<Accepted, GraphError> {
    let unknown = || GraphError::bad_value("message_id is not an inbound message of this number");
    let key = world.chats.find(message_id).map(|(key, _)| key.clone());
    let key = key
        .filter(|key| key.phone_number_id == number)
        .ok_or_else(unknown)?;
    if !world.chats.mark_read_by_business(&key, message_id) {
        return Err(unknown());
    }
    if let Some(until) = typing_until {
        world.chats.set_typing(&key, until);
    }
    Ok(Accepted::Read)
}

fn send(
    call: &Call,
    world: &mut World,
    number: &NumberRecord,
    mode: Mode,
    mut outbound: Outbound,
) -> Result<Accepted, GraphError> {
    let now = call.engine.now();
    let addressee = checks::addressee(world, number, &outbound.to)?;
    let to_user_id = addressee.to_user_id;
    let category = checks::template(world, number, mode.marketing, to_user_id, &mut outbound)?;
    checks::media(world, number, &mut outbound, now)?;
    let key = addressee.key.as_ref();
    let in_window = key.is_some_and(|key| world.chats.window_open(key, now));
    checks::pace(world, number, &addressee, in_window, now)?;

    let wa_id = &addressee.person.wa_id;
    outbound.message.id = wamid(wa_id, true, world.next_sequence());
    let delivery = Delivery {
        wamid: outbound.message.id.clone(),
        number: number.clone(),
        phone_visible: !to_user_id || addressee.person.username.is_none(),
        to_user_id,
        opaque: outbound.message.opaque.clone(),
        in_window,
        failure: checks::failure(world, &outbound, &addressee, in_window, now),
        category,
        recipient: world.recipient(wa_id),
        person: addressee.person.clone(),
    };
    let answer = answer(&outbound, &addressee, mode.held);
    let attachment = outbound.message.attachment.as_ref();
    let link = attachment.and_then(|attachment| attachment.link.clone());
    call.engine
        .ledger
        .record(entry(&outbound.message, number, &addressee));
    keep(world, outbound, key, delivery.failure.is_none());
    Ok(Accepted::Message {
        delivery: Box::new(delivery),
        answer,
        link,
    })
}

fn answer(outbound: &Outbound, addressee: &Addressee, held: bool) -> Value {
    let input = outbound.to.input();
    let contact = if addressee.to_user_id {
        json!({ "input": input, "user_id": input })
    } else {
        json!({ "input": input, "wa_id": addressee.person.wa_id })
    };
    let mut message = json!({ "id": outbound.message.id });
    if outbound.message.template.is_some() {
        let status = if held {
            "held_for_quality_assessment"
        } else {
            "accepted"
        };
        message.set("message_status", status);
    }
    json!({ "messaging_product": "whatsapp", "contacts": [contact], "messages": [message] })
}

fn entry(message: &Message, number: &NumberRecord, addressee: &Addressee) -> Entry {
    let person = &addressee.person;
    let to = if addressee.key.is_none() {
        &person.user_id
    } else {
        &person.wa_id
    };
    let attachment = message.attachment.as_ref();
    Entry {
        wamid: message.id.clone(),
        opaque: message.opaque.clone(),
        phone_number_id: number.phone_number_id.clone(),
        to: to.clone(),
        kind: message.kind.clone(),
        template: message.template.clone(),
        media_sha256: attachment.and_then(|attachment| attachment.sha256.clone()),
        at: message.at,
        fate: Vec::new(),
    }
}

/// Puts the message into its conversation; a reaction goes onto the message it is for.
fn keep(world: &mut World, outbound: Outbound, key: Option<&ChatKey>, arrives: bool) {
    match (&outbound.content, key) {
        (Content::Reaction { target, emoji }, _) if arrives => {
            world.chats.update(target, |message| {
                message.reaction = Some(emoji.clone()).filter(|emoji| !emoji.is_empty());
            });
        }
        (Content::Reaction { .. }, _) | (_, None) => {}
        (_, Some(key)) => world.chats.push(key, outbound.message),
    }
}
