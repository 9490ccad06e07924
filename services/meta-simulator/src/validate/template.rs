use std::collections::HashMap;

use serde_json::Value;

use super::{
    At,
    message::attachment,
    template_buttons::{self, SentButton},
};
use crate::{
    errors::GraphError,
    json::Fields,
    world::{Attachment, Choice, Message, TemplateRecord, placeholders},
};

/// The longest body after its parameters are filled in.
const LONGEST_BODY: usize = 1024;

/// What the patient sees of a template.
#[derive(Default)]
pub(crate) struct RenderedTemplate {
    header: Option<String>,
    body: String,
    footer: Option<String>,
    attachment: Option<Attachment>,
    choices: Vec<Choice>,
}

impl RenderedTemplate {
    pub(crate) fn fill(self, message: &mut Message) {
        message.header = self.header;
        message.text = self.body;
        message.footer = self.footer;
        message.attachment = self.attachment;
        message.choices = self.choices;
    }
}

/// Checks what was sent against the template it names, and fills the template in.
pub(crate) fn check(
    template: &TemplateRecord,
    sent: &Value,
) -> Result<RenderedTemplate, GraphError> {
    match template.status.as_str() {
        "APPROVED" | "REINSTATED" => {}
        "PAUSED" => return Err(GraphError::new(132_015)),
        "DISABLED" => return Err(GraphError::new(132_016)),
        status => {
            return Err(GraphError::new(132_001).details(format!(
                "template {} is not approved: {status}",
                template.name
            )));
        }
    }
    let sent = Sent::read(sent)?;
    let mut rendered = RenderedTemplate::default();
    header(template, &sent, &mut rendered)?;
    rendered.body = filled(
        template,
        "body",
        template.text_of("BODY"),
        sent.parameters("body"),
    )?;
    if rendered.body.chars().count() > LONGEST_BODY {
        return Err(GraphError::new(132_005).details(format!(
            "Message text length {} exceeds max limit {LONGEST_BODY}",
            rendered.body.len()
        )));
    }
    rendered.footer = Some(template.text_of("FOOTER"))
        .filter(|text| !text.is_empty())
        .map(String::from);
    rendered.choices = template_buttons::check(template.buttons(), &sent.buttons)?;
    Ok(rendered)
}

/// The components of the request, by what they are.
struct Sent<'a> {
    parts: HashMap<&'static str, Vec<At<'a>>>,
    buttons: Vec<SentButton<'a>>,
}

impl<'a> Sent<'a> {
    fn read(sent: &'a Value) -> Result<Self, GraphError> {
        let mut read = Self {
            parts: HashMap::new(),
            buttons: Vec::new(),
        };
        for component in At::root(sent).any_list("components") {
            let parameters = component.any_list("parameters");
            match component.text("type", 32)?.to_lowercase().as_str() {
                "header" => read.parts.insert("header", parameters),
                "body" => read.parts.insert("body", parameters),
                "button" => {
                    let sub_type = component.text("sub_type", 32)?.to_lowercase();
                    read.buttons.push(SentButton {
                        index: index(&component)?,
                        sub_type,
                        parameters,
                    });
                    None
                }
                other => {
                    return Err(GraphError::bad_value(format!(
                        "component type {other} is not supported"
                    )));
                }
            };
        }
        Ok(read)
    }

    fn parameters(&self, part: &str) -> &[At<'a>] {
        self.parts.get(part).map_or(&[], Vec::as_slice)
    }
}

/// Sent as a string by some and as a number by others.
fn index(component: &At<'_>) -> Result<usize, GraphError> {
    let field = component
        .get("index")
        .ok_or_else(|| GraphError::missing(&component.name("index")))?;
    let number = field
        .value
        .as_u64()
        .or_else(|| field.value.as_str()?.parse().ok());
    let number = number
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| *number < 10);
    number
        .ok_or_else(|| GraphError::bad_value(format!("{} must be 0 to 9", component.name("index"))))
}

fn header(
    template: &TemplateRecord,
    sent: &Sent<'_>,
    rendered: &mut RenderedTemplate,
) -> Result<(), GraphError> {
    let parameters = sent.parameters("header");
    let Some(definition) = template.component("HEADER") else {
        return if parameters.is_empty() {
            Ok(())
        } else {
            Err(count_mismatch("header", parameters.len(), 0))
        };
    };
    let format = definition
        .at("format")
        .as_str()
        .unwrap_or("TEXT")
        .to_uppercase();
    if format == "TEXT" {
        rendered.header = Some(filled(
            template,
            "header",
            template.text_of("HEADER"),
            parameters,
        )?);
        return Ok(());
    }
    let received = parameters
        .first()
        .map_or(Ok("unknown"), |parameter| parameter.text("type", 32))?;
    let kind = format.to_lowercase();
    let Some(parameter) = parameters
        .first()
        .filter(|_| received.eq_ignore_ascii_case(&kind))
    else {
        return Err(GraphError::new(132_012).details(format!(
            "header: Format mismatch, expected {format}, received {}",
            received.to_uppercase()
        )));
    };
    let file = parameter.object(&kind)?;
    rendered.attachment = Some(match kind.as_str() {
        "location" => Attachment::new("location"),
        _ => attachment(&file, &kind)?,
    });
    Ok(())
}

/// Fills the placeholders of a text with what was sent for it.
fn filled(
    template: &TemplateRecord,
    part: &str,
    text: &str,
    parameters: &[At<'_>],
) -> Result<String, GraphError> {
    let expected = placeholders(text);
    if expected.len() != parameters.len() {
        return Err(count_mismatch(part, parameters.len(), expected.len()));
    }
    let mut values: HashMap<String, String> = HashMap::new();
    for (position, parameter) in parameters.iter().enumerate() {
        let name = parameter.optional_text("parameter_name", 128)?;
        let name = match (template.named, name) {
            (true, Some(name)) if expected.iter().any(|known| known == name) => name.to_owned(),
            (true, Some(name)) => {
                return Err(format_mismatch(
                    part,
                    &format!("there is no parameter named {name}"),
                ));
            }
            (true, None) => {
                return Err(format_mismatch(part, "Parameter name is missing or empty"));
            }
            (false, Some(_)) => {
                return Err(format_mismatch(
                    part,
                    "the template has positional parameters",
                ));
            }
            (false, None) => (position + 1).to_string(),
        };
        if values
            .insert(name.clone(), parameter_text(part, parameter)?)
            .is_some()
        {
            return Err(format_mismatch(
                part,
                &format!("parameter {name} is given twice"),
            ));
        }
    }
    Ok(substitute(text, &values))
}

/// One pass, so that a value that looks like a placeholder stays what it is.
fn substitute(text: &str, values: &HashMap<String, String>) -> String {
    let mut pieces = text.split("{{");
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once("}}") {
            Some((name, rest)) => {
                result.push_str(values.get(name.trim()).map_or("", String::as_str));
                result.push_str(rest);
            }
            None => result.push_str(piece),
        }
    }
    result
}

fn parameter_text(part: &str, parameter: &At<'_>) -> Result<String, GraphError> {
    let text = match parameter.text("type", 32)?.to_lowercase().as_str() {
        "text" => parameter.text("text", 32_768)?,
        "currency" => parameter.object("currency")?.text("fallback_value", 128)?,
        "date_time" => parameter.object("date_time")?.text("fallback_value", 128)?,
        other => {
            return Err(format_mismatch(
                part,
                &format!("expected a text, received {other}"),
            ));
        }
    };
    if text.contains(['\n', '\t', '\r']) || text.contains("     ") {
        return Err(GraphError::new(132_018).details(
            "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
        ));
    }
    Ok(text.to_owned())
}

fn count_mismatch(part: &str, sent: usize, expected: usize) -> GraphError {
    GraphError::new(132_000).details(format!(
        "{part}: number of localizable_params ({sent}) does not match the expected number of params ({expected})"
    ))
}

pub(super) fn format_mismatch(part: &str, details: &str) -> GraphError {
    GraphError::new(132_012).details(format!("{part}: {details}"))
}
