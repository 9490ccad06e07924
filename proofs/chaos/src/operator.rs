use anyhow::Context as _;
use chrono::{DateTime, Utc};
use domain::{Clock as _, SystemClock};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use stage::Ledger;

use crate::world::World;

/// What an operator said about a send of which nothing was heard.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Decision {
    message_id: String,
    #[serde(rename = "decision")]
    said: &'static str,
    at: DateTime<Utc>,
}

/// Looks at what waits for a person, asks the provider, and decides, by the API.
#[derive(Default)]
pub(crate) struct Operator {
    decisions: Ledger<Decision>,
}

impl Operator {
    pub(crate) fn decisions(&self) -> &Ledger<Decision> {
        &self.decisions
    }

    /// Decides about every unconfirmed message of every lab.
    pub(crate) async fn decide(&self, world: &World) -> anyhow::Result<()> {
        for lab in 0..world.platform.labs.len() {
            let lims = &world.platform.lims;
            let path = format!(
                "/api/messages/{}/history?status=unconfirmed&limit=200",
                lims.lab_id(lab)
            );
            let (_, page) = lims.call(lab, (Method::GET, &path), &Value::Null).await?;
            let messages = page.get("messages").and_then(Value::as_array);
            for message in messages.context("the history has no messages")? {
                let id = message.get("message_id").and_then(Value::as_str);
                self.resolve(world, lab, id.context("a message has no id")?)
                    .await?;
            }
        }
        Ok(())
    }

    async fn resolve(&self, world: &World, lab: usize, id: &str) -> anyhow::Result<()> {
        let taken = world.platform.provider.simulator().ledger().count(id) > 0;
        let decision = if taken { "sent" } else { "not_sent" };
        let path = format!("/api/messages/{id}/resolve");
        let body = json!({ "as": decision });
        let answer = world.platform.lims.call(lab, (Method::POST, &path), &body);
        let (status, _) = answer.await?;
        if status == StatusCode::OK {
            self.decisions.note(Decision {
                message_id: id.to_owned(),
                said: decision,
                at: SystemClock.now(),
            });
        }
        Ok(())
    }
}
