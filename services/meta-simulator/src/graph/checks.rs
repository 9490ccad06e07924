use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    delivery::Failure,
    errors::GraphError,
    json::Fields,
    validate::{self, Content, Outbound, To},
    world::{ChatKey, NumberRecord, Person, World, calling_code, digits, whatsapp_id},
};

/// Reactions reach this far back.
const REACTION_AGE: Duration = Duration::from_hours(30 * 24);

/// Who a message is for, as far as the simulator knows them.
pub(super) struct Addressee {
    pub(super) person: Person,
    pub(super) key: Option<ChatKey>,
    pub(super) to_user_id: bool,
}

/// Finds out who is meant.
pub(super) fn addressee(
    world: &mut World,
    number: &NumberRecord,
    to: &To,
) -> Result<Addressee, GraphError> {
    let own = digits(&number.display_phone_number);
    let (wa_id, to_user_id) = match to {
        To::Phone(phone) => {
            let wa_id = whatsapp_id(phone, calling_code(&own)).ok_or_else(|| {
                GraphError::bad_value(format!("to is not a valid phone number: {phone}"))
            })?;
            (Some(wa_id), false)
        }
        To::UserId(user_id) => (world.wa_id_of(number, user_id), true),
    };
    let Some(wa_id) = wa_id else {
        // A user id of another portfolio: accepted, and fails as undeliverable.
        let person = Person {
            wa_id: String::new(),
            user_id: to.input().to_owned(),
            name: None,
            username: None,
        };
        return Ok(Addressee {
            person,
            key: None,
            to_user_id,
        });
    };
    if wa_id == own {
        return Err(GraphError::new(131_021));
    }
    let key = ChatKey::new(&number.phone_number_id, &wa_id);
    Ok(Addressee {
        person: world.person(number, &wa_id),
        key: Some(key),
        to_user_id,
    })
}

/// Fills a template into the message; the answer is the message's pricing category.
pub(super) fn template(
    world: &World,
    number: &NumberRecord,
    marketing: bool,
    to_user_id: bool,
    outbound: &mut Outbound,
) -> Result<String, GraphError> {
    let Content::Template(sent) = &outbound.content else {
        return if marketing {
            Err(GraphError::invalid("Message must be a template message."))
        } else {
            Ok("service".into())
        };
    };
    let name = sent.at("name").as_str().unwrap_or_default();
    let language = sent.at("language").at("code").as_str().unwrap_or_default();
    let template = world
        .templates
        .find(&number.waba_id, name, language)
        .ok_or_else(|| {
            GraphError::new(132_001).details(format!(
                "template name ({name}) does not exist in {language}"
            ))
        })?;
    if marketing && template.category != "MARKETING" {
        return Err(GraphError::new(134_100));
    }
    if to_user_id
        && template
            .buttons()
            .iter()
            .any(|button| button.at("type") == "OTP")
    {
        return Err(GraphError::new(131_062));
    }
    validate::check_template(template, sent)?.fill(&mut outbound.message);
    outbound.message.template = Some(template.name.clone());
    Ok(template.category.to_lowercase())
}

/// An uploaded file must still be there, and have been uploaded for this number.
pub(super) fn media(
    world: &World,
    number: &NumberRecord,
    outbound: &mut Outbound,
    now: DateTime<Utc>,
) -> Result<(), GraphError> {
    let Some(attachment) = &mut outbound.message.attachment else {
        return Ok(());
    };
    let Some(media_id) = &attachment.media_id else {
        return Ok(());
    };
    let record = world.media.find(media_id, now);
    let record = record
        .filter(|record| record.phone_number_id == number.phone_number_id)
        .ok_or_else(|| {
            GraphError::invalid(format!(
                "Param {}['id'] is not a valid whatsapp business account media attachment ID",
                attachment.kind
            ))
        })?;
    attachment.sha256 = Some(record.sha256.clone());
    attachment.mime_type = Some(record.mime_type.clone());
    attachment.size_bytes = Some(record.size_bytes);
    Ok(())
}

/// The pair rate, and the limit on people written to unasked.
pub(super) fn pace(
    world: &mut World,
    number: &NumberRecord,
    addressee: &Addressee,
    in_window: bool,
    now: DateTime<Utc>,
) -> Result<(), GraphError> {
    let user = &addressee.person.user_id;
    if !world.pace.take_pair(&number.phone_number_id, user, now) {
        return Err(GraphError::new(131_056));
    }
    let Some(limit) = world
        .accounts
        .messaging_limit(&number.waba_id)
        .filter(|_| !in_window)
    else {
        return Ok(());
    };
    let portfolio = world.accounts.portfolio(&number.waba_id);
    if world.pace.take_portfolio(&portfolio, user, limit, now) {
        Ok(())
    } else {
        Err(GraphError::new(131_048))
    }
}

/// What the sender learns only by webhook.
pub(super) fn failure(
    world: &World,
    outbound: &Outbound,
    addressee: &Addressee,
    in_window: bool,
    now: DateTime<Utc>,
) -> Option<Failure> {
    let on_whatsapp = world.recipient(&addressee.person.wa_id).on_whatsapp;
    let Some(key) = addressee.key.as_ref().filter(|_| on_whatsapp) else {
        return Some(Failure::new(131_026));
    };
    if !in_window && !matches!(outbound.content, Content::Template(_)) {
        return Some(Failure::new(131_047));
    }
    if let Content::Reaction { target, .. } = &outbound.content {
        let reachable = world.chats.find(target).is_some_and(|(found, message)| {
            found == key && message.kind != "reaction" && now < message.at + REACTION_AGE
        });
        return (!reachable).then(|| Failure::new(131_009));
    }
    let attachment = outbound.message.attachment.as_ref()?;
    let (mime_type, size) = (attachment.mime_type.as_deref()?, attachment.size_bytes?);
    let unfit = validate::fits_message(&attachment.kind, mime_type, size).err()?;
    Some(Failure {
        code: 131_053,
        details: Some(unfit.0),
    })
}
