use serde_json::Value;

use super::{At, template::format_mismatch};
use crate::{
    errors::GraphError,
    json::Fields,
    world::{Choice, placeholders},
};

/// A `button` component of a send.
pub(super) struct SentButton<'a> {
    pub(super) index: usize,
    /// In lower case.
    pub(super) sub_type: String,
    pub(super) parameters: Vec<At<'a>>,
}

/// Checks the buttons that were sent against those of the template, and fills these in.
pub(super) fn check(
    definitions: &[Value],
    sent: &[SentButton<'_>],
) -> Result<Vec<Choice>, GraphError> {
    if let Some(stray) = sent.iter().find(|button| button.index >= definitions.len()) {
        let details = format!("there is no button at index {}", stray.index);
        return Err(format_mismatch("buttons", &details));
    }
    let of = |position: usize| sent.iter().find(|button| button.index == position);
    let filled = |(position, definition)| button(definition, position, of(position));
    definitions.iter().enumerate().map(filled).collect()
}

fn button(
    definition: &Value,
    position: usize,
    sent: Option<&SentButton<'_>>,
) -> Result<Choice, GraphError> {
    let kind = definition
        .at("type")
        .as_str()
        .unwrap_or("QUICK_REPLY")
        .to_lowercase();
    let sent_type = if kind == "otp" { "url" } else { kind.as_str() };
    if sent.is_some_and(|sent| sent.sub_type != sent_type) {
        let details = format!("button at index {position} is a {kind}");
        return Err(format_mismatch("buttons", &details));
    }
    let title = definition.at("text").as_str().unwrap_or("Copy code");
    let parameter = sent.and_then(|sent| sent.parameters.first());
    let mut choice = Choice::new(&kind, title, title);
    match kind.as_str() {
        "url" | "otp" => {
            let url = definition.at("url").as_str().unwrap_or("{{1}}");
            choice.url = Some(filled_url(url, position, parameter)?);
        }
        "quick_reply" => {
            if let Some(parameter) = parameter {
                parameter.text("payload", 256)?.clone_into(&mut choice.id);
            }
        }
        "copy_code" => {
            let code = parameter.ok_or_else(|| needs_parameter(position, "Copy_code"))?;
            code.text("coupon_code", 15)?.clone_into(&mut choice.id);
        }
        "phone_number" => {
            let phone = definition.at("phone_number").as_str();
            choice.url = phone.map(|phone| format!("tel:{phone}"));
        }
        _ => {}
    }
    Ok(choice)
}

fn filled_url(
    url: &str,
    position: usize,
    parameter: Option<&At<'_>>,
) -> Result<String, GraphError> {
    let Some(placeholder) = placeholders(url).pop() else {
        return Ok(url.to_owned());
    };
    let parameter = parameter.ok_or_else(|| needs_parameter(position, "Url"))?;
    let value = parameter.text("text", 2000)?;
    Ok(url.replace(&format!("{{{{{placeholder}}}}}"), value))
}

fn needs_parameter(position: usize, kind: &str) -> GraphError {
    GraphError::new(131_008).details(format!(
        "buttons: Button at index {position} of type {kind} requires a parameter"
    ))
}
