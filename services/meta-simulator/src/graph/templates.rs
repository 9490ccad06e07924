use axum::{Json, extract::Request, response::IntoResponse};
use serde_json::{Map, Value, json};

use super::{Answer, Call, account::health, call::json_body};
use crate::{
    errors::GraphError,
    json::Fields,
    seed::{MANAGEMENT, NumberState},
    validate::{At, check_definition},
    webhooks::Due,
    world::{TemplateRecord, World},
};

/// Templates an account may have before its business is verified.
const TEMPLATES: usize = 250;
const LIST_FIELDS: &str = "name,parameter_format,components,language,status,category";

pub(super) fn list(call: &Call, waba_id: &str) -> Answer {
    let world = call.engine.world();
    call.business(&world, waba_id, MANAGEMENT)?;
    let limit: usize = call
        .query
        .get("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(25)
        .clamp(1, 1000);
    let after: usize = call
        .query
        .get("after")
        .and_then(|after| after.parse().ok())
        .unwrap_or_default();
    let is = |key: &str, value: &str| {
        call.query
            .get(key)
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let matching = world.templates.of(waba_id).filter(|template| {
        is("name", &template.name)
            && is("status", &template.status)
            && is("language", &template.language)
            && is("category", &template.category)
    });
    let mut page: Vec<_> = matching
        .skip(after)
        .take(limit + 1)
        .map(|template| node(call, template))
        .collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let end = after + page.len();
    let mut paging =
        json!({ "cursors": { "before": after.to_string(), "after": end.to_string() } });
    if more {
        paging.set(
            "next",
            json!(format!(
                "{}/{}/{waba_id}/message_templates?limit={limit}&after={end}",
                call.engine.base_url, call.version
            )),
        );
    }
    let mut list = json!({ "data": page, "paging": paging });
    if call.query.contains_key("summary") {
        list.set("summary", summary(world.templates.of(waba_id).count()));
    }
    Ok(Json(list).into_response())
}

fn summary(count: usize) -> Value {
    json!({
        "total_count": count,
        "message_template_count": count,
        "message_template_limit": TEMPLATES,
        "are_translations_complete": true,
    })
}

fn node(call: &Call, template: &TemplateRecord) -> Value {
    let mut full = template.node();
    let mut node = Map::new();
    for field in call.fields(LIST_FIELDS) {
        if field == "health_status" {
            node.insert(
                field.into(),
                health("MESSAGE_TEMPLATE", &template.id, NumberState::Connected),
            );
        } else if let Some(value) = full.get_mut(field) {
            node.insert(field.into(), value.take());
        }
    }
    node.insert("id".into(), json!(template.id));
    Value::Object(node)
}

/// The template of the path, if the token reaches its account.
fn find<'a>(call: &Call, world: &'a World, id: &str) -> Result<&'a TemplateRecord, GraphError> {
    let template = world.templates.get(id).ok_or_else(|| call.unknown(id))?;
    call.business(world, &template.waba_id, MANAGEMENT)
        .map_err(|_| call.unknown(id))?;
    Ok(template)
}

pub(super) fn get(call: &Call, id: &str) -> Answer {
    let world = call.engine.world();
    call.access(&world)?;
    Ok(Json(node(call, find(call, &world, id)?)).into_response())
}

pub(super) async fn create(call: &Call, waba_id: &str, request: Request) -> Answer {
    let body = json_body(request).await?;
    let (id, category) = {
        let mut world = call.engine.world();
        call.business(&world, waba_id, MANAGEMENT)?;
        let template = check_definition(waba_id, &body)?;
        if world
            .templates
            .find(waba_id, &template.name, &template.language)
            .is_some()
        {
            return Err(GraphError::invalid(
                "There is already content in this language for this template.",
            )
            .subcode(2_388_024)
            .user_title("Content in this language already exists"));
        }
        if world.templates.of(waba_id).count() >= TEMPLATES {
            return Err(
                GraphError::invalid("The account has as many templates as it may have.")
                    .subcode(2_388_019)
                    .user_title("Message template limit reached"),
            );
        }
        let id = world.next_id();
        let record = world.templates.add(template, id);
        (record.id, record.category)
    };
    call.engine
        .after(call.engine.timing.template_review, Due::Review(id.clone()));
    Ok(Json(json!({ "id": id, "status": "PENDING", "category": category })).into_response())
}

/// Replaces all components; a template that was approved is reviewed again.
pub(super) async fn edit(call: &Call, id: &str, request: Request) -> Answer {
    let body = json_body(request).await?;
    {
        let mut world = call.engine.world();
        call.access(&world)?;
        let template = find(call, &world, id)?.clone();
        if !["APPROVED", "REJECTED", "PAUSED"].contains(&template.status.as_str()) {
            return Err(GraphError::invalid(
                "Only approved, rejected or paused templates can be edited.",
            )
            .subcode(2_388_039)
            .user_title("Message template cannot be edited"));
        }
        let category = At::root(&body)
            .optional_text("category", 32)?
            .unwrap_or(&template.category);
        let components = body
            .get("components")
            .cloned()
            .unwrap_or_else(|| json!(template.components));
        let checked = check_definition(
            &template.waba_id,
            &json!({ "name": template.name, "language": template.language, "category": category,
                     "components": components }),
        )?;
        if let Some(template) = world.templates.get_mut(id) {
            template.components = checked.components;
            template.category = checked.category;
            template.status = "PENDING".into();
        }
    }
    call.engine.after(
        call.engine.timing.template_review,
        Due::Review(id.to_owned()),
    );
    Ok(Json(json!({ "success": true })).into_response())
}

pub(super) fn unpause(call: &Call, id: &str) -> Answer {
    let mut world = call.engine.world();
    call.access(&world)?;
    if find(call, &world, id)?.status != "PAUSED" {
        return Err(GraphError::invalid(
            "Only paused templates can be unpaused.",
        ));
    }
    if let Some(template) = world.templates.get_mut(id) {
        template.status = "APPROVED".into();
    }
    Ok(Json(json!({ "success": true })).into_response())
}

/// All languages of a name, or one template by its id and name.
pub(super) fn delete(call: &Call, waba_id: &str) -> Answer {
    let mut world = call.engine.world();
    call.business(&world, waba_id, MANAGEMENT)?;
    let name = call
        .query
        .get("name")
        .ok_or_else(|| GraphError::required("name"))?;
    let id = call.query.get("hsm_id");
    let removed = world.templates.remove(waba_id, |template| {
        template.name == *name && id.is_none_or(|id| *id == template.id)
    });
    if removed == 0 {
        return Err(
            GraphError::invalid(format!("Message Template \"{name}\" was not found."))
                .subcode(2_593_002),
        );
    }
    Ok(Json(json!({ "success": true })).into_response())
}
