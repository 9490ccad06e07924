use domain::{Scope, TemplateId};
use serde_json::{Value, json};
use storage::templates::{Template, upsert_template};

use crate::support::{Lab, Stage, envelope, stage};

fn update(event: &str, language: &str) -> Value {
    envelope(&[json!({
        "field": "message_template_status_update",
        "value": {
            "event": event, "message_template_id": 1, "message_template_name": "ready",
            "message_template_language": language, "reason": "NONE",
        },
    })])
}

/// A message that waits for the lab's template.
async fn hold(stage: &Stage, lab: &Lab) {
    let template = Template {
        id: TemplateId::new_at(stage.now()),
        tenant_id: lab.tenant,
        name: "ready".to_owned(),
        language: "en_US".to_owned(),
        parameters: Vec::new(),
        header: "none".to_owned(),
    };
    let mut connection = stage.owner.acquire().await.unwrap();
    upsert_template(&mut connection, &template, stage.now())
        .await
        .unwrap();
    stage.message(lab).await;
    let scope = Scope::template(template.id);
    let query = format!(
        "UPDATE work SET state = 'held', hold_scope = '{scope}' WHERE tenant_id = '{}'",
        lab.tenant.as_uuid()
    );
    stage.test.execute(&query).await;
}

#[tokio::test]
async fn a_template_that_is_back_lets_its_messages_go() {
    let stage = stage().await;
    let lab = stage.lab().await;
    hold(&stage, &lab).await;

    stage
        .apply(&[update("PAUSED", "en_US"), update("APPROVED", "hi")])
        .await;
    assert_eq!(stage.count("work WHERE state = 'held'").await, 1);

    stage.apply(&[update("APPROVED", "en_US")]).await;
    assert_eq!(stage.count("work WHERE state = 'waiting'").await, 1);
}
