use serde_json::Value;

use super::At;
use crate::{errors::GraphError, json::Fields, seed::Template, world::placeholders};

/// What Meta checks of a new template before anyone reviews it.
pub(crate) fn check(waba_id: &str, body: &Value) -> Result<Template, GraphError> {
    let root = At::root(body);
    let name = root.text("name", 512)?;
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    {
        return Err(GraphError::invalid(
            "Param name must have only lowercase letters, digits and underscores.",
        ));
    }
    let category = root.text("category", 32)?.to_uppercase();
    if !["UTILITY", "MARKETING", "AUTHENTICATION"].contains(&category.as_str()) {
        return Err(GraphError::invalid(
            "Param category must be one of {UTILITY, MARKETING, AUTHENTICATION}.",
        ));
    }
    let components = root.list("components", 8)?;
    for component in &components {
        self::component(component)?;
    }
    if !components.iter().any(|component| is(component, "BODY")) {
        return Err(GraphError::missing("components: BODY"));
    }
    Ok(Template {
        id: None,
        waba_id: waba_id.to_owned(),
        name: name.to_owned(),
        language: root.text("language", 16)?.to_owned(),
        category,
        status: "PENDING".into(),
        parameter_format: root
            .optional_text("parameter_format", 16)?
            .unwrap_or("POSITIONAL")
            .to_uppercase(),
        components: components
            .iter()
            .map(|component| component.value.clone())
            .collect(),
    })
}

fn is(component: &At<'_>, kind: &str) -> bool {
    component
        .value
        .at("type")
        .as_str()
        .is_some_and(|found| found.eq_ignore_ascii_case(kind))
}

fn component(component: &At<'_>) -> Result<(), GraphError> {
    match component.text("type", 32)?.to_uppercase().as_str() {
        "HEADER" => header(component),
        "BODY" => {
            if component.get("text").is_none() {
                return Ok(()); // Authentication templates have a body of Meta's own.
            }
            variables(component.text("text", 1024)?)
        }
        "FOOTER" => component.text("text", 60).map(drop),
        "BUTTONS" => {
            for button in component.list("buttons", 10)? {
                button.text("type", 32)?;
                button.optional_text("text", 25)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn header(component: &At<'_>) -> Result<(), GraphError> {
    if component.text("format", 16)?.eq_ignore_ascii_case("TEXT") {
        let text = component.text("text", 60)?;
        if placeholders(text).len() > 1 {
            return Err(rejected(
                2_388_047,
                "Message header format is incorrect",
                "one variable at most",
            ));
        }
    }
    Ok(())
}

fn variables(text: &str) -> Result<(), GraphError> {
    let text = text.trim();
    if text.starts_with("{{") || text.ends_with("}}") {
        let details = "Variables can't be at the start or end of the template.";
        return Err(rejected(
            2_388_299,
            "Leading or trailing params are not allowed",
            details,
        ));
    }
    if text.contains("}}{{") || text.matches("{{").count() != text.matches("}}").count() {
        let details = "Variables must be apart and have two braces on each side.";
        return Err(rejected(
            2_388_073,
            "Message template has an incorrect format",
            details,
        ));
    }
    let words = text
        .split_whitespace()
        .filter(|word| !word.contains("{{"))
        .count();
    if words < placeholders(text).len() * 2 {
        let details = "This template has too many variables for its length.";
        return Err(rejected(2_388_293, "Too many variables", details));
    }
    Ok(())
}

fn rejected(subcode: u32, title: &'static str, details: &str) -> GraphError {
    GraphError::invalid(details)
        .subcode(subcode)
        .user_title(title)
}
