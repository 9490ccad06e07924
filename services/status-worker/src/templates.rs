use domain::Scope;
use providers::meta::webhook::Item;
use serde::Deserialize;
use storage::{Connection, templates::list_templates_of_waba, work};

use crate::{handler::Batch, metrics};

/// The part of `message_template_status_update` that matters here.
#[derive(Deserialize)]
struct TemplateStatus {
    event: String,
    message_template_name: String,
    message_template_language: String,
}

/// Lets go on what waited for a template that can be used again.
pub(crate) async fn resume(connection: &mut Connection, batch: &Batch) -> storage::Result<()> {
    for (_, item) in &batch.items {
        let Item::Account(account) = item else {
            continue;
        };
        if account.field != "message_template_status_update" {
            metrics::item("account_update");
            continue;
        }
        metrics::item("template_update");
        let Ok(update) = serde_json::from_value::<TemplateStatus>(account.value.clone()) else {
            continue;
        };
        if !matches!(
            update.event.as_str(),
            "APPROVED" | "REINSTATED" | "UNARCHIVED"
        ) {
            continue;
        }
        let (name, language) = (
            &update.message_template_name,
            &update.message_template_language,
        );
        for template in list_templates_of_waba(connection, &account.waba_id, name, language).await?
        {
            work::resume(connection, &Scope::template(template), batch.now).await?;
        }
    }
    Ok(())
}
