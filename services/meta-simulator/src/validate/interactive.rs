use super::{At, message::attachment};
use crate::{
    errors::GraphError,
    world::{Choice, Message},
};

/// Checks an interactive message against its limits and writes its bubble.
pub(super) fn check(body: &At<'_>, message: &mut Message) -> Result<(), GraphError> {
    let kind = body.text("type", 64)?;
    let longest = if kind == "list" { 4096 } else { 1024 };
    body.object("body")?
        .text("text", longest)?
        .clone_into(&mut message.text);
    if let Some(footer) = body.get("footer") {
        message.footer = Some(footer.text("text", 60)?.to_owned());
    }
    if let Some(header) = body.get("header") {
        self::header(&header, kind, message)?;
    }
    let action = body.object("action")?;
    match kind {
        "button" => message.choices = buttons(&action)?,
        "list" => list(&action, message)?,
        "cta_url" => message.choices = vec![call_to_action(&action)?],
        "flow" => message.choices = vec![flow(&action)?],
        "location_request_message" => {
            message.choices = vec![named_action(&action, "send_location", "Send location")?];
        }
        "request_contact_info" => {
            message.choices = vec![named_action(
                &action,
                "request_contact_info",
                "Share phone number",
            )?];
        }
        _ => {
            return Err(GraphError::new(131_051).details(format!(
                "Interactive messages of type {kind} are not supported."
            )));
        }
    }
    Ok(())
}

fn header(header: &At<'_>, interactive: &str, message: &mut Message) -> Result<(), GraphError> {
    let kind = header.text("type", 16)?;
    match kind {
        "text" => message.header = Some(header.text("text", 60)?.to_owned()),
        "image" | "video" | "document" if interactive != "list" => {
            message.attachment = Some(attachment(&header.object(kind)?, kind)?);
        }
        _ => {
            let name = header.name("type");
            return Err(GraphError::bad_value(format!(
                "{name}: {kind} is not a header of a {interactive}."
            )));
        }
    }
    Ok(())
}

fn buttons(action: &At<'_>) -> Result<Vec<Choice>, GraphError> {
    let mut choices: Vec<Choice> = Vec::new();
    for button in action.list("buttons", 3)? {
        if button.text("type", 16)? != "reply" {
            return Err(GraphError::bad_value(format!(
                "{} must be reply.",
                button.name("type")
            )));
        }
        let reply = button.object("reply")?;
        let choice = Choice::new("reply", reply.text("id", 256)?, reply.text("title", 20)?);
        if choices
            .iter()
            .any(|other| other.id == choice.id || other.title == choice.title)
        {
            return Err(GraphError::bad_value(
                "Duplicated button id or title in interactive message.",
            ));
        }
        choices.push(choice);
    }
    Ok(choices)
}

fn list(action: &At<'_>, message: &mut Message) -> Result<(), GraphError> {
    message.list_button = Some(action.text("button", 20)?.to_owned());
    let sections = action.list("sections", 10)?;
    for section in &sections {
        let title = section
            .optional_text("title", 24)?
            .filter(|title| !title.is_empty());
        if title.is_none() && sections.len() > 1 {
            return Err(GraphError::missing(&section.name("title")));
        }
        for row in section.list("rows", 10)? {
            let mut choice = Choice::new("row", row.text("id", 200)?, row.text("title", 24)?);
            choice.description = row.optional_text("description", 72)?.map(String::from);
            choice.section = title.map(String::from);
            if message.choices.iter().any(|other| other.id == choice.id) {
                return Err(GraphError::bad_value(
                    "Duplicated row id in interactive list.",
                ));
            }
            message.choices.push(choice);
        }
    }
    if message.choices.len() > 10 {
        return Err(GraphError::bad_value(
            "Total row count exceed max allowed count: 10",
        ));
    }
    Ok(())
}

fn call_to_action(action: &At<'_>) -> Result<Choice, GraphError> {
    named(action, "cta_url")?;
    let parameters = action.object("parameters")?;
    let mut choice = Choice::new("url", "", parameters.text("display_text", 20)?);
    let url = parameters.text("url", 2000)?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(GraphError::bad_value(format!(
            "{} is not a valid URL.",
            parameters.name("url")
        )));
    }
    choice.url = Some(url.to_owned());
    Ok(choice)
}

fn flow(action: &At<'_>) -> Result<Choice, GraphError> {
    named(action, "flow")?;
    let parameters = action.object("parameters")?;
    parameters.text("flow_message_version", 8)?;
    if parameters.get("flow_id").is_none() && parameters.get("flow_name").is_none() {
        return Err(GraphError::missing(&parameters.name("flow_id")));
    }
    Ok(Choice::new("flow", "", parameters.text("flow_cta", 30)?))
}

fn named_action(action: &At<'_>, name: &str, title: &str) -> Result<Choice, GraphError> {
    named(action, name)?;
    Ok(Choice::new(name, "", title))
}

fn named(action: &At<'_>, expected: &str) -> Result<(), GraphError> {
    if action.text("name", 64)? == expected {
        Ok(())
    } else {
        Err(GraphError::bad_value(format!(
            "{} must be {expected}.",
            action.name("name")
        )))
    }
}
